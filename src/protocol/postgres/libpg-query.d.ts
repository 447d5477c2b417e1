/** The parser without the package's wrapper, which knows one instance only and cannot replace it. */
declare module 'libpg-query/wasm/libpg-query.js' {
  export interface GrammarModule {
    readonly HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _wasm_parse_query_raw(text: number): number;
    _wasm_free_parse_result(result: number): void;
    _wasm_scan(text: number): number;
    _wasm_free_string(pointer: number): void;
    getValue(pointer: number, type: 'i32'): number;
    UTF8ToString(pointer: number): string;
  }
  const create: (options: { print(line: string): void; printErr(line: string): void }) => Promise<GrammarModule>;
  export default create;
}

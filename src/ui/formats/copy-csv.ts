/**
 * CSV as COPY reads it by default: comma, `"` doubled inside of quotes, an unquoted empty field is NULL, any of three line ends. Pure.
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-CSV-FORMAT
 */
export class CsvReader {
  #fields: (string | null)[] = [];
  #field = '';
  #isQuoted = false;
  #inQuotes = false;
  /** A quote or a carriage return of which the next character says what it was. */
  #before = '';
  #isEmpty = true;

  /** The records that end in this text. */
  *push(text: string): Generator<(string | null)[]> {
    for (const character of text) {
      if (this.#inQuotes) {
        if (character === '"') this.#inQuotes = false;
        else this.#field += character;
      } else if (character === '\n' && this.#before === '\r') {
        // the other half of a line's end
      } else if (character === '\n' || character === '\r') yield this.#endRecord();
      else this.#plain(character);
      this.#before = character;
    }
  }

  *end(): Generator<(string | null)[]> {
    if (!this.#isEmpty) yield this.#endRecord();
  }

  #plain(character: string): void {
    this.#isEmpty = false;
    if (character === '"') {
      if (this.#before === '"' && this.#isQuoted) this.#field += '"';
      this.#inQuotes = true;
      this.#isQuoted = true;
    } else if (character === ',') this.#endField();
    else this.#field += character;
  }

  #endField(): void {
    this.#fields.push(this.#field === '' && !this.#isQuoted ? null : this.#field);
    this.#field = '';
    this.#isQuoted = false;
  }

  #endRecord(): (string | null)[] {
    this.#endField();
    const fields = this.#fields;
    this.#fields = [];
    this.#isEmpty = true;
    return fields;
  }
}

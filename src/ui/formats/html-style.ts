/** Light and dark, wide and on a phone; the words carry the meaning, colours repeat it. */
export const pageStyle = `
:root { color-scheme: light dark; --back: #ffffff; --soft: #f3f4f6; --line: #d4d7dd; --text: #1b1f24; --faint: #59636e; --accent: #0b62c4; --bad: #b3261e; --good: #1a7037; --warn: #8a5a00; --value: #7a1fa2; }
@media (prefers-color-scheme: dark) {
  :root { --back: #15181d; --soft: #1e2329; --line: #363d47; --text: #e6e9ee; --faint: #9aa5b1; --accent: #6cb0ff; --bad: #ff8a80; --good: #7ddf9a; --warn: #f0c36a; --value: #e2a6ff; }
}
* { box-sizing: border-box; }
body { margin: 0; height: 100vh; height: 100dvh; display: flex; flex-direction: column; background: var(--back); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
header, .controls, .timeline { padding: 10px 16px 0; }
h1 { font-size: 17px; margin: 0 0 2px; overflow-wrap: anywhere; }
header p { margin: 0; color: var(--faint); overflow-wrap: anywhere; }
code, pre, .row, td, th { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, monospace; font-size: 13px; }
.controls { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; }
button, select, input[type='search'] { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: 5px 10px; min-height: 34px; }
button { cursor: pointer; }
#play { min-width: 76px; background: var(--accent); border-color: var(--accent); color: var(--back); font-weight: 600; }
input[type='search'] { flex: 1 1 160px; min-width: 120px; }
label { display: inline-flex; gap: 5px; align-items: center; white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
canvas { display: block; width: 100%; height: 36px; background: var(--soft); border-radius: 4px; }
#seek { width: 100%; margin: 2px 0 0; accent-color: var(--accent); }
.said { display: flex; justify-content: space-between; color: var(--faint); font-variant-numeric: tabular-nums; }
main { flex: 1; min-height: 0; display: grid; grid-template-columns: minmax(280px, 2fr) 3fr; margin-top: 8px; border-top: 1px solid var(--line); }
#list { overflow-y: auto; border-right: 1px solid var(--line); }
#rows { position: relative; }
.row { position: absolute; left: 0; right: 0; height: 30px; line-height: 30px; padding: 0 8px 0 13px; display: flex; gap: 9px; white-space: pre; overflow: hidden; cursor: pointer; border-left: 3px solid transparent; }
.row.current { background: var(--soft); border-left-color: var(--accent); font-weight: 600; }
.row.bad .text, .row.bad .mark { color: var(--bad); }
.row .seq, .row .at { color: var(--faint); flex: none; }
.row .seq { min-width: 4ch; } .row .at { min-width: 9ch; }
.row .mark { flex: none; width: 1em; }
.row .text { overflow: hidden; text-overflow: ellipsis; }
#detail { overflow: auto; padding: 10px 16px 24px; }
#detail p { margin: 0 0 6px; overflow-wrap: anywhere; }
pre { margin: 8px 0 12px; padding: 12px; background: var(--soft); border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
pre, .row .text, td, th, p { unicode-bidi: isolate; }
.where, .note, .comment, .null { color: var(--faint); }
.outcome { font-weight: 600; }
.good.outcome { color: var(--good); } .bad.outcome { color: var(--bad); } .warn.outcome { color: var(--warn); }
.keyword { color: var(--accent); font-weight: 600; } .literal { color: var(--good); } .number { color: var(--warn); }
.parameter { color: var(--value); text-decoration: underline; text-underline-offset: 3px; }
.result { overflow-x: auto; } table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: 3px 8px; text-align: left; white-space: pre; }
.waiting { padding: 16px; } .ready .waiting { display: none; }
@media (max-width: 760px) {
  main { grid-template-columns: none; grid-template-rows: minmax(120px, 2fr) 3fr; }
  #list { border-right: 0; border-bottom: 1px solid var(--line); }
  .row .at { display: none; }
  header, .controls, .timeline { padding: 8px 10px 0; }
  #detail { padding: 10px; }
}
`;

// SPDX-License-Identifier: Apache-2.0
#include "build/node_source.hpp"

#include <catch2/catch.hpp>

using hks::build::is_es_module;

TEST_CASE("import and export at the top level make an ES module") {
    for (const char* text : {
             "import fs from 'fs'",
             "import { a } from 'a'",
             "import * as a from 'a'",
             "import 'a'",
             "import\"a\"",
             "#!/usr/bin/env node\nimport fs from 'fs'",
             "'use strict';\n\nimport fs from 'fs'",
             "/* require */ export const handle = () => 1",
             "export default function () {}",
             "export { handle }",
             "export * from './a.js'",
             "export async function handle() {}",
             "const a = { b: [1] }\nexport { a }",
             "const r = /[/'\"]/g\nexport const handle = 1",
             "const t = `a ${ `b ${1}` } c`\nexport const handle = 1",
             "const u = import.meta.url",
             "function f() { return import.meta.url }",
             "const x = a / b / c\nexport const y = 1",
             "export class A {}",
         }) {
        INFO(text);
        CHECK(is_es_module(text));
    }
}

TEST_CASE("everything else stays CommonJS") {
    for (const char* text : {
             "",
             "exports.handle = async (event) => ({ok: true})",
             "module.exports = { handle }",
             "// import fs from 'fs'",
             "/* export const a = 1 */",
             "const s = 'import x from y'",
             "const s = \"\\\"export const a\"",
             "const t = `\nimport x from 'y'\n`",
             "const t = `${ a }\nexport const b = 1`",
             "const m = await import('x')",
             "import('x').then(f)",
             "const o = { import: 1, export: 2 }",
             "o.import = 3; o.export.x = 1",
             "const r = /import x from 'y'/",
             "const exported = 1; importer()",
             "$import = 1",
             "function f() {\n  return /'/.test(x)\n}\nexports.a = 1 // '",
         }) {
        INFO(text);
        CHECK_FALSE(is_es_module(text));
    }
}

TEST_CASE("broken text is read to its end and no further") {
    for (const char* text :
         {"'", "`", "`${", "/*", "/", "\"\\", "}}}", "`${`", "/[", "import", "export", "#!"}) {
        INFO(text);
        CHECK_FALSE(is_es_module(text));
    }
}

// Prints the SQL that makes an empty database into schema.prisma. The schema engine comes as WebAssembly from the
// package registry, so that writing or checking a migration needs no downloaded binary; it insists on a server to talk to (DATABASE_URL), of which it reads only the version.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaPg } from '@prisma/adapter-pg';

const resolve = createRequire(import.meta.url).resolve;
const engine = await import('@prisma/schema-engine-wasm/schema_engine_bg');
const wasmFile = resolve('@prisma/schema-engine-wasm').replace('schema_engine.js', 'schema_engine_bg.wasm');
const imports = { './schema_engine_bg.js': engine };
const { instance } = await WebAssembly.instantiate(readFileSync(wasmFile), imports);
engine.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

const url = new URL('./schema.prisma', import.meta.url);
const datamodel = { files: [{ path: 'schema.prisma', content: readFileSync(url, 'utf8') }] };
const adapter = bindMigrationAwareSqlAdapterFactory(new PrismaPg({ connectionString: process.env.DATABASE_URL }));
const schemaEngine = await engine.SchemaEngine.new(
  { datamodels: [['schema.prisma', datamodel.files[0].content]] },
  () => {},
  adapter,
);
const { stdout } = await schemaEngine.diff({
  from: { tag: 'empty' },
  to: { tag: 'schemaDatamodel', ...datamodel },
  script: true,
  exitCode: null,
  shadowDatabaseUrl: null,
  filters: { externalTables: [], externalEnums: [] },
});
process.stdout.write(stdout ?? '');

// duckdb.mjs - the queries of engine.c on the same rows in DuckDB.
//
//   engine --db DIR --csv rows.csv; npm install @duckdb/node-api; node duckdb.mjs rows.csv
//
// The rows are loaded into memory first, uncompressed: a head start over reading files. Best of two.
import { DuckDBInstance } from '@duckdb/node-api';

const db = await (await DuckDBInstance.create(':memory:')).connect();
const u64 = ['sh', 'sl', 'dh', 'dl', 'br', 'bs', 'pr', 'ps'];
const types = { t: 'UINTEGER', dport: 'USMALLINT', proto: 'UTINYINT' };
const names = ['t', 'sh', 'sl', 'dh', 'dl', 'dport', 'proto', 'br', 'bs', 'pr', 'ps'];
const columns = names.map((n) => `${n}:'${u64.includes(n) ? 'UBIGINT' : types[n]}'`).join(',');
await db.run(`CREATE TABLE f AS SELECT * FROM
  read_csv('${process.argv[2]}', header=false, columns={${columns}})`);
const rows = Number((await db.runAndReadAll('SELECT count(*) FROM f')).getRows()[0][0]);

const sums = 'sum(br) br, sum(bs) bs, sum(pr) pr, sum(ps) ps';
const queries = [
  ['dport,proto', 'dport,proto', ''],
  ['sip', 'sh,sl', ''],
  ['sip,dip', 'sh,sl,dh,dl', ''],
  ['sip,dip,dport,proto', 'sh,sl,dh,dl,dport,proto', ''],
  ['time,sip', 't,sh,sl', ''],
  ['sip,dip | dport = 443', 'sh,sl,dh,dl', 'WHERE dport = 443'],
  ['dport,proto | dport = 443', 'dport,proto', 'WHERE dport = 443'],
  ['sip,dip | sip = 10.17.0.121', 'sh,sl,dh,dl', `WHERE sh = 0 AND sl = ${0x0a110079}`],
];
for (const threads of [1, 2]) {
  await db.run(`SET threads = ${threads}`);
  for (const [name, keys, where] of queries) {
    const order = name.startsWith('time') ? 't' : 'sum(br) + sum(bs) DESC';
    let best = Infinity, cpu = Infinity;
    for (let i = 0; i < 2; i++) {
      const start = process.hrtime.bigint(), used = process.cpuUsage();
      await db.runAndReadAll(
        `SELECT ${keys}, ${sums} FROM f ${where} GROUP BY ${keys} ORDER BY ${order} LIMIT 1000`);
      best = Math.min(best, Number(process.hrtime.bigint() - start) / 1e6);
      const { user, system } = process.cpuUsage(used);
      cpu = Math.min(cpu, (user + system) / 1e6);
    }
    console.log(name.padEnd(32), threads, `${best.toFixed(0)} ms`.padStart(10),
      `${(rows / best / 1e3).toFixed(1)} Mrows/s`.padStart(16), `${cpu.toFixed(2)} s CPU`.padStart(12));
  }
}
console.log(`peak ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB`);

// What node-postgres' documentation shows: queries, prepared statements, pools, transactions,
// notifications, types, errors. Prints what it finds, a line each; the place comes from PG variables.
const { Client, Pool, types } = require('pg')
const assert = require('assert')

const say = (what, value) => console.log(what + ': ' + JSON.stringify(value))

async function single() {
  const client = new Client({ application_name: 'program.js' })
  const notices = []
  client.on('notice', (notice) => notices.push(notice.message))
  await client.connect()
  say('hello', (await client.query('SELECT $1::text AS message', ['Hello world!'])).rows)
  say('application', (await client.query('SHOW application_name')).rows)
  await client.query('DROP TABLE IF EXISTS node_users')
  await client.query('CREATE TABLE node_users (id serial PRIMARY KEY, name text, email text UNIQUE, at timestamptz)')
  const inserted = await client.query({
    text: 'INSERT INTO node_users (name, email, at) VALUES ($1, $2, $3) RETURNING id, name',
    values: ['brianc', 'brian@example.com', new Date(0)],
  })
  say('inserted', [inserted.command, inserted.rowCount, inserted.rows])
  const byName = { name: 'fetch-user', text: 'SELECT * FROM node_users WHERE id = $1' }
  for (let i = 1; i <= 3; i++) {
    say('prepared', (await client.query({ ...byName, values: [i] })).rows)
  }
  say('array mode', (await client.query({ text: 'SELECT 1 AS a, 2 AS a', rowMode: 'array' })).rows)
  say('several', (await client.query('SELECT 1 AS one; SELECT 2 AS two')).map((result) => result.rows))
  say(
    'types',
    (
      await client.query(
        'SELECT $1::int4 i, $2::int8 big, $3::numeric n, $4::json j, $5::text[] a, $6::bytea b, $7::bool t, $8::date d',
        [1, '9007199254740993', '1.50', { a: [1] }, ['x', 'y,"z'], Buffer.from([0, 255]), true, '2024-02-29'],
      )
    ).fields.map((field) => [field.name, field.dataTypeID]),
  )
  try {
    await client.query('INSERT INTO node_users (email) VALUES ($1)', ['brian@example.com'])
  } catch (error) {
    say('error', [error.code, error.constraint, error.table, error.severity])
  }
  await client.query("DO $$ BEGIN RAISE NOTICE 'noticed'; END $$")
  say('notices', notices.filter((text) => text === 'noticed'))
  const pipelined = await Promise.all([1, 2, 3, 4].map((n) => client.query('SELECT $1::int AS n', [n])))
  say('queued', pipelined.map((result) => result.rows[0].n))
  await client.end()
}

async function pooled() {
  const pool = new Pool({ max: 5, idleTimeoutMillis: 1000 })
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      pool.query({ name: 'doubled', text: 'SELECT $1::int * 2 AS doubled', values: [n] }),
    ),
  )
  say('pool', results.map((result) => result.rows[0].doubled))
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const user = await client.query('INSERT INTO node_users (name) VALUES ($1) RETURNING id', ['rolled back'])
    assert(user.rows[0].id > 0)
    await client.query('SAVEPOINT s')
    await assert.rejects(client.query('SELECT 1/0'), { code: '22012' })
    await client.query('ROLLBACK TO s')
    await client.query('ROLLBACK')
  } finally {
    client.release()
  }
  say('count', (await pool.query('SELECT count(*) FROM node_users')).rows)
  await pool.end()
}

async function notified() {
  const listener = new Client()
  await listener.connect()
  const heard = new Promise((resolve) => listener.on('notification', resolve))
  await listener.query('LISTEN node_news')
  const teller = new Client()
  await teller.connect()
  await teller.query("SELECT pg_notify('node_news', $1)", ['extra'])
  const message = await heard
  say('notification', [message.channel, message.payload])
  await teller.end()
  await listener.query('UNLISTEN *')
  await listener.end()
}

single()
  .then(pooled)
  .then(notified)
  .then(() => console.log('done'))
  .catch((error) => {
    console.error(error)
    process.exit(1)
  })

package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.gateway.pool.PoolMode;
import dev.ebb.gateway.pool.PoolTerms;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients that share connections hear, byte by byte, what they would hear on connections of their
 * own: random scripts of the protocol are sent both ways and the answers compared. What each client
 * selects is told from what all others do.
 */
final class PoolModelIT {
  private static final int CLIENTS = 5;
  private static final int CONNECTIONS = 2;
  private static final int STEPS = Integer.getInteger("ebb.pool.steps", 3_000);
  private static final String[] NAMES = {"", "a", "b", "S_1", "ebb.1"};

  @TempDir private static Path directory;
  private static GatewayFixture gateway;

  @BeforeAll
  static void start() {
    PoolConfig few =
        new PoolConfig(
            new PoolTerms(PoolMode.TRANSACTION, CONNECTIONS, 0),
            List.of(),
            60,
            2_000,
            60_000,
            600_000,
            3_600_000,
            5,
            PoolConfig.WARM_QUERY);
    gateway = new GatewayFixture(directory, config -> config.withLoops(1).withPool(0, few));
  }

  @AfterAll
  static void stop() {
    gateway.close();
  }

  /** One client, on both ports. */
  private static final class Both {
    final int number;
    final RawClient pooled;
    final RawClient alone;
    final List<String> history = new ArrayList<>();
    boolean inTransaction;
    boolean failed;
    int token;

    Both(int number) throws Exception {
      this.number = number;
      pooled = RawClient.login(gateway.poolPort, "app", RealPostgres.PASSWORD, "shop");
      alone = RawClient.login(gateway.port, "app", RealPostgres.PASSWORD, "shop");
    }

    String token() {
      return "token_" + number + "_" + token++;
    }
  }

  @Test
  void answersAreThoseOfAConnectionOfOnesOwn() throws Exception {
    long seed = Long.getLong("ebb.pool.seed", System.nanoTime());
    System.out.println("ebb.pool.seed=" + seed);
    var random = new Random(seed);
    var clients = new ArrayList<Both>();
    for (int i = 0; i < CLIENTS; i++) {
      clients.add(new Both(i));
    }
    for (int step = 0; step < STEPS; step++) {
      long busy = clients.stream().filter(each -> each.inTransaction).count();
      Both client = clients.get(random.nextInt(CLIENTS));
      if (busy == CONNECTIONS && !client.inTransaction) {
        continue;
      }
      var wire = new Wire();
      var said = new StringBuilder();
      script(client, random, wire, said);
      List<String> own = client.history;
      own.add(said.toString());
      send(client.pooled, wire.bytes(), random);
      client.alone.send(wire.bytes());
      List<String> alone = client.alone.transcript(wire.readies());
      List<String> pooled = client.pooled.transcript(wire.readies());
      assertThat(inFailed(client, pooled))
          .as(
              "step %d of seed %d, after%n%s",
              step, seed, String.join("\n", own.subList(Math.max(0, own.size() - 25), own.size())))
          .isEqualTo(inFailed(client, alone));
      if (!pooled.equals(alone)) {
        own.add("  alone " + alone + "\n  pooled " + pooled);
        forgetNames(client);
      }
      client.failed = alone.getLast().equals("Z E");
      client.inTransaction = !alone.getLast().equals("Z I");
    }
    for (Both client : clients) {
      client.pooled.close();
      client.alone.close();
    }
  }

  /** Of those that come while a client copies in some are ignored, and some are not. */
  @Test
  void syncsAroundACopyAreCountedAsPostgresCountsThem() throws Exception {
    var client = new Both(90);
    var other = new Both(91);
    client.alone.query(
        "DROP VIEW IF EXISTS copied_view; CREATE TABLE IF NOT EXISTS copied_in (a int);"
            + " CREATE VIEW copied_view AS SELECT a FROM copied_in");
    client.alone.transcript(1);
    String copy = "COPY copied_in FROM STDIN";
    String view = "COPY copied_view FROM STDIN";
    for (int round = 0; round < 20; round++) {
      same(client, other, new Wire().query(copy).copyData("1\n").copyDone(), 1);
      same(client, other, new Wire().query(copy).copyData("x\n").sync(), 2);
      same(client, other, new Wire().query(copy).copyData("1\n").sync().copyDone(), 1);
      same(client, other, new Wire().query(copy).copyData("x\n").copyDone().query("SELECT 7"), 2);
      same(client, other, copyIn(copy).sync().copyData("1\n").copyDone().sync(), 1);
      same(client, other, copyIn(copy).sync().copyData("x\n").copyDone().sync(), 1);
      same(client, other, copyIn(view).sync(), 1);
      same(client, other, copyIn(view).sync().copyData("1\n").copyDone().sync(), 2);
      same(client, other, copyIn(copy).copyData("1\n").copyDone().sync(), 1);
      same(client, other, new Wire().query(copy).raw('f', new byte[] {'n', 'o', 0}), 1);
    }
    for (Both each : List.of(client, other)) {
      each.pooled.close();
      each.alone.close();
    }
  }

  private static Wire copyIn(String sql) {
    return new Wire().parse("", sql).bind("", "", null).execute("", 0);
  }

  /** The same is answered both ways, and the one who comes next hears nothing of it. */
  private static void same(Both client, Both other, Wire wire, int readies) throws Exception {
    client.alone.send(wire.bytes());
    List<String> alone = client.alone.transcript(readies);
    client.pooled.send(wire.bytes());
    String token = other.token();
    other.pooled.query("SELECT '" + token + "'");
    assertThat(other.pooled.transcript(1)).anyMatch(each -> each.contains(token));
    assertThat(client.pooled.transcript(readies)).isEqualTo(alone);
    for (RawClient each : List.of(client.alone, client.pooled)) {
      String own = client.token();
      each.query("SELECT '" + own + "'");
      assertThat(each.transcript(1)).anyMatch(row -> row.startsWith("D") && row.contains(own));
    }
  }

  /**
   * In a transaction that has failed nearly everything fails, but where and why may differ, since a
   * statement that the connection does not have cannot be prepared there any more: what counts is
   * whether it still has failed afterwards.
   */
  private static List<String> inFailed(Both client, List<String> transcript) {
    boolean failed = client.failed;
    var all = new ArrayList<String>();
    for (String each : transcript) {
      boolean ready = each.startsWith("Z ");
      if (ready || !failed) {
        all.add(each);
      }
      failed = ready ? each.equals("Z E") : failed;
    }
    return all;
  }

  /** What failed at different places may have left different names behind. */
  private static void forgetNames(Both client) throws Exception {
    var wire = new Wire();
    for (String name : NAMES) {
      wire.close('S', name);
    }
    wire.sync();
    client.alone.send(wire.bytes());
    client.pooled.send(wire.bytes());
    assertThat(client.pooled.transcript(1)).isEqualTo(client.alone.transcript(1));
  }

  /** In one piece, or cut anywhere. */
  private static void send(RawClient to, byte[] bytes, Random random) throws Exception {
    int at = 0;
    while (at < bytes.length) {
      int length =
          random.nextInt(4) > 0 ? bytes.length - at : 1 + random.nextInt(bytes.length - at);
      to.send(java.util.Arrays.copyOfRange(bytes, at, at + length));
      at += length;
    }
  }

  /** Some messages, the last of which leads to ReadyForQuery. */
  private static void script(Both client, Random random, Wire wire, StringBuilder said) {
    int parts = 1 + random.nextInt(3);
    for (int i = 0; i < parts; i++) {
      if (random.nextInt(3) == 0) {
        String sql = simple(client, random);
        said.append("Q(").append(sql).append(") ");
        wire.query(sql);
      } else {
        extended(client, random, wire, said);
        said.append("S ");
        wire.sync();
      }
    }
  }

  private static String simple(Both client, Random random) {
    String token = client.token();
    return switch (random.nextInt(18)) {
      case 0, 1, 2 -> "SELECT '" + token + "'";
      case 3 -> "BEGIN";
      case 4 -> "COMMIT";
      case 5 -> "ROLLBACK";
      case 6 -> "SELECT '" + token + "' FROM nowhere";
      case 7 -> "SELECT 1; SELECT '" + token + "'; SELECT 1/0; SELECT 2";
      case 8 -> "SET statement_timeout = " + (1_000_000 + random.nextInt(1000));
      case 9 -> "SHOW statement_timeout";
      case 10 -> "SET app.token = '" + token + "'";
      case 11 -> "SELECT coalesce(current_setting('app.token', true), '')";
      case 12 -> "SELECT set_config('app.token', '" + token + "', " + random.nextBoolean() + ")";
      case 13 -> "SET search_path = " + (random.nextBoolean() ? "pg_catalog" : "public");
      case 14 -> "SHOW search_path";
      case 15 -> "DEALLOCATE " + (random.nextBoolean() ? "a" : "\"S_1\"");
      case 16 -> random.nextInt(4) == 0 ? "DISCARD ALL" : "DEALLOCATE ALL";
      default -> "COPY (SELECT '" + token + "' FROM generate_series(1, 3)) TO STDOUT";
    };
  }

  private static void extended(Both client, Random random, Wire wire, StringBuilder said) {
    int messages = 1 + random.nextInt(4);
    for (int i = 0; i < messages; i++) {
      String name = NAMES[random.nextInt(NAMES.length)];
      switch (random.nextInt(8)) {
        case 0, 1 -> {
          String sql = statement(client, random);
          said.append("P(").append(name).append(',').append(sql).append(") ");
          wire.parse(name, sql);
        }
        case 2, 3 -> {
          said.append("B(").append(name).append(")DE ");
          wire.bind("", name, random.nextInt(6) == 0 ? null : client.token())
              .describe('P', "")
              .execute("", random.nextInt(4) == 0 ? 1 : 0);
        }
        case 4 -> {
          String sql = statement(client, random);
          said.append("PBE(").append(name).append(',').append(sql).append(") ");
          wire.parse(name, sql).bind("p", name, client.token()).execute("p", 0);
        }
        case 5 -> {
          said.append("D(").append(name).append(") ");
          wire.describe('S', name);
        }
        case 6 -> {
          char kind = random.nextInt(4) == 0 ? 'P' : 'S';
          said.append("C").append(kind).append('(').append(name).append(") ");
          wire.close(kind, name);
        }
        default -> {
          said.append("H ");
          wire.flush();
        }
      }
    }
  }

  private static String statement(Both client, Random random) {
    return switch (random.nextInt(9)) {
      case 0 -> "SELECT $1::text, 'one'";
      case 1 -> "SELECT $1::text, 'two' FROM generate_series(1, 3)";
      case 2 -> "SELECT $1::text || '" + client.token() + "'";
      case 3 -> "SELECT nonsense";
      case 4 -> "SELECT length($1::text) / 0";
      case 5 -> "SELECT set_config('app.token', $1, false)";
      case 6 -> "SELECT coalesce(current_setting('app.token', true), ''), $1::text";
      case 7 -> random.nextBoolean() ? "BEGIN" : "COMMIT";
      default -> "SELECT relname, $1::text FROM pg_class WHERE relname = 'pg_class'";
    };
  }
}

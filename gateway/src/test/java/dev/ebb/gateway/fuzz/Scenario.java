package dev.ebb.gateway.fuzz;

import dev.ebb.gateway.Wire;
import io.vertx.core.buffer.Buffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * What a client would send from a certain state on, one message an entry, before any of it is
 * broken.
 *
 * @param login how far the client logs in, in good order
 * @param before sent in good order behind that
 * @param until the type of the answer that is awaited behind {@code before}; 0: none is
 */
record Scenario(String name, Login login, byte[] before, char until, List<byte[]> messages) {
  private static final int SSL_REQUEST = 80877103;
  private static final int GSSENC_REQUEST = 80877104;
  private static final int CANCEL_REQUEST = 80877102;
  private static final int PROTOCOL_3_2 = (3 << 16) + 2;
  private static final byte[] NOTHING = {};

  enum Login {
    NONE,
    STARTUP,
    DONE
  }

  /** One of all, with this client's token in it. */
  static Scenario any(Random random, Token token) {
    return switch (random.nextInt(13)) {
      case 0 -> of("the first bytes", Login.NONE, first(random, token));
      case 1 -> of("startup", Login.NONE, List.of(startup(random, token)));
      case 2 -> of("SCRAM", Login.STARTUP, scram(random));
      case 3, 4 -> of("idle", Login.DONE, split(simple(random, token)));
      case 5, 6 -> of("extended", Login.DONE, split(extended(random, token)));
      case 7 ->
          new Scenario("copy in", Login.DONE, copyIn(random), 'G', split(copied(random, token)));
      case 8 ->
          new Scenario(
              "copy out", Login.DONE, copyOut(random, token), 'H', split(simple(random, token)));
      case 9 ->
          new Scenario(
              "failed transaction",
              Login.DONE,
              new Wire().query("BEGIN").query("SELECT '" + token + "'::int").bytes(),
              'E',
              split(random.nextBoolean() ? simple(random, token) : extended(random, token)));
      case 10 -> of("function call", Login.DONE, split(function(random, token)));
      case 11 -> of("terminated", Login.DONE, terminated(random, token));
      default ->
          new Scenario(
              "half a pipeline",
              Login.DONE,
              new Wire().parse("h", "SELECT $1::text").bind("", "h", token + "").bytes(),
              '\0',
              split(extended(random, token)));
    };
  }

  private static Scenario of(String name, Login login, List<byte[]> messages) {
    return new Scenario(name, login, NOTHING, '\0', messages);
  }

  private static byte[] request(int code) {
    return Buffer.buffer().appendInt(8).appendInt(code).getBytes();
  }

  private static List<byte[]> first(Random random, Token token) {
    return switch (random.nextInt(5)) {
      case 0 -> List.of(request(SSL_REQUEST), startup(random, token));
      case 1 -> List.of(request(GSSENC_REQUEST), startup(random, token));
      case 2 ->
          List.of(
              Buffer.buffer()
                  .appendInt(16 + random.nextInt(300))
                  .appendInt(CANCEL_REQUEST)
                  .appendInt(random.nextInt())
                  .appendBytes(bytes(random, 4 + random.nextInt(252)))
                  .getBytes());
      case 3 ->
          List.of(
              Buffer.buffer("\26\3\1").appendShort((short) random.nextInt()).getBytes(),
              bytes(random, random.nextInt(600)));
      default -> List.of(bytes(random, 1 + random.nextInt(12_000)));
    };
  }

  private static byte[] startup(Random random, Token token) {
    Buffer body = Buffer.buffer().appendInt(random.nextInt(4) == 0 ? 3 << 16 : PROTOCOL_3_2);
    body.appendString("user\0" + Fuzzed.ROLE + "\0database\0" + Fuzzed.DATABASE + "\0");
    switch (random.nextInt(6)) {
      case 0 -> {
        for (int i = random.nextInt(3_000); i >= 0; i--) {
          body.appendString("o" + i + "\0" + (i % 3) + "\0");
        }
      }
      case 1 -> body.appendString("options\0-c search_path=" + token + " -c\\ x=1\0");
      case 2 -> body.appendString("_pq_." + token + "\0on\0");
      case 3 -> body.appendBytes(bytes(random, random.nextInt(200)));
      case 4 -> body.appendString("application_name\0" + "a".repeat(random.nextInt(20_000)) + "\0");
      default -> {}
    }
    if (random.nextInt(5) > 0) {
      body.appendByte((byte) 0);
    }
    int length =
        switch (random.nextInt(8)) {
          case 0 -> -random.nextInt(1 << 20);
          case 1 -> Integer.MAX_VALUE - random.nextInt(8);
          case 2 -> random.nextInt(9);
          case 3 -> body.length() + 4 + random.nextInt(20) - 10;
          default -> body.length() + 4;
        };
    return Buffer.buffer().appendInt(length).appendBuffer(body).getBytes();
  }

  private static List<byte[]> scram(Random random) {
    String first = "n,,n=*,r=" + Long.toHexString(random.nextLong()) + "abcdefgh";
    Buffer initial = Buffer.buffer("SCRAM-SHA-256\0").appendInt(first.length()).appendString(first);
    String last = "c=biws,r=" + Long.toHexString(random.nextLong()) + ",p=dGhpcyBpcyBubyBwcm9vZg==";
    return split(
        new Wire()
            .raw('p', initial.getBytes())
            .raw('p', last.getBytes(StandardCharsets.UTF_8))
            .bytes());
  }

  private static byte[] simple(Random random, Token token) {
    var wire = new Wire();
    for (int i = random.nextInt(4); i >= 0; i--) {
      switch (random.nextInt(12)) {
        case 0 -> wire.query("BEGIN; SELECT '" + token + "'");
        case 1 -> wire.query("COMMIT");
        case 2 -> wire.query("SET search_path = '" + token + "'");
        case 3 -> wire.query("SET application_name = '" + token + "'; SELECT 1/0");
        case 4 -> wire.query("SELECT pg_advisory_lock_shared(" + token.number() + ")");
        case 5 -> wire.query("CREATE TEMP TABLE fuzz_temp AS SELECT '" + token + "' a");
        case 6 -> wire.query("SELECT '" + token + "'; SELECT '" + token + "'::int; SELECT 2");
        case 7 -> wire.query("DECLARE c CURSOR WITH HOLD FOR SELECT '" + token + "'");
        case 8 -> wire.query("PREPARE p AS SELECT '" + token + "'; EXECUTE p");
        case 9 -> wire.query("DISCARD ALL");
        case 10 -> wire.query("COPY (SELECT '" + token + "') TO STDOUT; COPY fuzz_in FROM STDIN");
        default -> wire.query("SELECT '" + token + "' FROM generate_series(1, 200)");
      }
    }
    return wire.bytes();
  }

  private static byte[] extended(Random random, Token token) {
    var wire = new Wire();
    String[] names = {"", "s", "S_1", "ebb.1", "ebb.no.x"};
    for (int i = random.nextInt(5); i >= 0; i--) {
      String name = names[random.nextInt(names.length)];
      switch (random.nextInt(9)) {
        case 0, 1 ->
            wire.parse(name, "SELECT $1::text, '" + token + "'").bind("", name, token + "");
        case 2 -> wire.parse(name, "SELECT '" + token + "' FROM nowhere");
        case 3 -> wire.describe('S', name).describe('P', "").execute("", random.nextInt(3));
        case 4 -> wire.close(random.nextBoolean() ? 'S' : 'P', name).flush();
        case 5 -> wire.parse(name, "COPY fuzz_in FROM STDIN").bind("", name, null).execute("", 0);
        case 6 -> wire.bind("p", name, token + "").execute("p", 1);
        case 7 ->
            wire.parse("", "SELECT set_config('app.t', $1, false)")
                .bind("", "", token + "")
                .execute("", 0);
        default -> wire.sync();
      }
    }
    return (random.nextInt(4) > 0 ? wire.sync() : wire).bytes();
  }

  private static byte[] copyIn(Random random) {
    return random.nextBoolean()
        ? new Wire().query("COPY fuzz_in FROM STDIN").bytes()
        : new Wire()
            .parse("", "COPY fuzz_in FROM STDIN")
            .bind("", "", null)
            .execute("", 0)
            .flush()
            .bytes();
  }

  private static byte[] copied(Random random, Token token) {
    var wire = new Wire();
    for (int i = random.nextInt(6); i >= 0; i--) {
      switch (random.nextInt(6)) {
        case 0 -> wire.sync();
        case 1 -> wire.raw('f', "no\0".getBytes(StandardCharsets.UTF_8));
        case 2 -> wire.copyDone();
        case 3 -> wire.query("SELECT '" + token + "'");
        case 4 -> wire.copyData("\\x\u0000" + token + "\tx\n");
        default -> wire.copyData((token + "\n").repeat(1 + random.nextInt(400)));
      }
    }
    return wire.bytes();
  }

  private static byte[] copyOut(Random random, Token token) {
    String rows = "SELECT '" + token + "' || repeat('x', 1000) FROM generate_series(1, %d)";
    return new Wire()
        .query("COPY (" + rows.formatted(random.nextInt(3) == 0 ? 8_000 : 20) + ") TO STDOUT")
        .bytes();
  }

  /** {@code length(text)} is 1317, {@code upper(text)} 871: stable since PostgreSQL 7. */
  private static byte[] function(Random random, Token token) {
    byte[] argument = token.toString().getBytes(StandardCharsets.UTF_8);
    Buffer body =
        Buffer.buffer()
            .appendInt(random.nextInt(3) == 0 ? random.nextInt(3_000) : 871)
            .appendShort((short) 1)
            .appendShort((short) random.nextInt(3))
            .appendShort((short) (random.nextInt(4) == 0 ? random.nextInt() : 1))
            .appendInt(random.nextInt(4) == 0 ? random.nextInt() : argument.length)
            .appendBytes(argument)
            .appendShort((short) 0);
    return new Wire().raw('F', body.getBytes()).query("SELECT '" + token + "'").bytes();
  }

  private static List<byte[]> terminated(Random random, Token token) {
    var all = new ArrayList<>(split(new Wire().raw('X', NOTHING).bytes()));
    all.addAll(split(random.nextBoolean() ? simple(random, token) : extended(random, token)));
    return all;
  }

  static byte[] bytes(Random random, int count) {
    var some = new byte[count];
    random.nextBytes(some);
    return some;
  }

  /** The messages of a stream, each for itself. */
  static List<byte[]> split(byte[] stream) {
    var all = new ArrayList<byte[]>();
    Buffer in = Buffer.buffer(stream);
    int at = 0;
    while (at < stream.length) {
      int length = in.getInt(at + 1) + 1;
      all.add(in.getBytes(at, at + length));
      at += length;
    }
    return all;
  }
}

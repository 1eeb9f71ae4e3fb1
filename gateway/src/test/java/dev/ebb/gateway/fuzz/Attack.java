package dev.ebb.gateway.fuzz;

import dev.ebb.gateway.RawClient;
import dev.ebb.gateway.RealPostgres;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/** One client that breaks what it sends, and what it was answered. */
final class Attack {
  private static final int LOOK_MS = 20;
  private static final int END_MS = 20_000;
  private static final int MOST_BYTES = 400_000;

  private final Random random;
  private final Token token;
  private final Buffer answer = Buffer.buffer();
  private boolean isOver;

  Attack(long seed, long round) {
    random = new Random(seed * 1_000_003 + round);
    random.nextInt();
    token = new Token(round + 1);
  }

  /**
   * Does it.
   *
   * @return what was wrong about the gateway's answer; empty: nothing
   */
  String run(int sessionPort, int poolPort) throws Exception {
    int port = random.nextInt(3) == 0 ? sessionPort : poolPort;
    Scenario scenario = Scenario.any(random, token);
    byte[] bytes = Mutation.broken(random, scenario.messages());
    String what = scenario.name() + (port == poolPort ? ", pool" : ", session");
    try (RawClient client = RawClient.connect(port)) {
      if (!enter(client, scenario)) {
        return what + ": the login failed";
      }
      try {
        send(client, bytes);
      } catch (IOException e) {
        isOver = true; // it has heard enough
      }
      String wrong = leave(client, scenario.login() == Scenario.Login.DONE);
      return wrong.isEmpty()
          ? ""
          : what + ": " + wrong + "; sent " + shown(scenario.before()) + shown(bytes);
    }
  }

  private static String shown(byte[] bytes) {
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    return text.substring(0, Math.min(text.length(), 1_500)).replaceAll("[^ -~]", ".");
  }

  private boolean enter(RawClient client, Scenario scenario) throws Exception {
    if (scenario.login() == Scenario.Login.NONE) {
      return true;
    }
    client.startup(Fuzzed.ROLE, Fuzzed.DATABASE);
    if (scenario.login() == Scenario.Login.STARTUP) {
      client.expect('R');
      return true;
    }
    client.authenticate(RealPostgres.PASSWORD);
    client.readUntilReady();
    client.send(scenario.before());
    if (scenario.until() != 0) {
      client.patience(END_MS);
      // Whatever comes first: messages in front of it, notices for one, are part of the answer.
      while (answer.toString(StandardCharsets.ISO_8859_1).indexOf(scenario.until()) < 0) {
        byte[] some = client.readSome();
        if (some == null) {
          return false;
        }
        answer.appendBytes(some);
      }
    }
    return true;
  }

  /** In one piece, in several, or byte by byte. */
  private void send(RawClient client, byte[] bytes) throws IOException {
    int how = random.nextInt(6);
    int at = 0;
    while (at < bytes.length) {
      int length =
          switch (how) {
            case 0 -> 1 + random.nextInt(8);
            case 1 -> 1 + random.nextInt(bytes.length - at);
            default -> bytes.length - at;
          };
      length = Math.min(bytes.length - at, at > 400 ? bytes.length : length);
      client.send(Buffer.buffer(bytes).getBytes(at, at + length));
      at += length;
      if (how == 0 && random.nextInt(10) == 0) {
        look(client);
      }
    }
  }

  private String leave(RawClient client, boolean loggedIn) throws IOException {
    switch (random.nextInt(7)) {
      case 0 -> client.abort();
      case 1 -> {} // closes, and has read nothing
      case 2, 3 -> {
        try {
          client.endOutput();
        } catch (IOException e) {
          isOver = true;
        }
        client.patience(END_MS);
        if (!toEnd(client)) {
          return "it stays open half-closed";
        }
      }
      default -> look(client);
    }
    return judge(loggedIn);
  }

  /** Reads what is there now. */
  private void look(RawClient client) throws IOException {
    client.patience(LOOK_MS);
    try {
      while (!isOver && answer.length() < MOST_BYTES) {
        byte[] some = client.readSome();
        if (some == null) {
          isOver = true;
        } else {
          answer.appendBytes(some);
        }
      }
    } catch (SocketTimeoutException e) {
      // nothing more has come in time
    }
  }

  private boolean toEnd(RawClient client) throws IOException {
    try {
      while (!isOver) {
        byte[] some = client.readSome();
        if (some == null) {
          isOver = true;
        } else if (answer.length() < MOST_BYTES) {
          answer.appendBytes(some);
        }
      }
      return true;
    } catch (SocketTimeoutException e) {
      return false;
    }
  }

  private String judge(boolean loggedIn) {
    String text = answer.toString(StandardCharsets.ISO_8859_1);
    var foreign = token.foreignIn(text);
    if (foreign.isPresent()) {
      return token + " was told of " + foreign.get();
    }
    if (text.contains("internal error in the gateway")) {
      return "an internal error";
    }
    return loggedIn ? frames() : "";
  }

  /** Answers are whole messages of known types; the last may be cut off. */
  private String frames() {
    int at = 0;
    while (at + 5 <= answer.length()) {
      char type = (char) (answer.getByte(at) & 0xff);
      int length = answer.getInt(at + 1);
      if ("123ACDdcEGHIKNnRSsTtVvZ".indexOf(type) < 0 || length < 4) {
        return "the answer at " + at + " is no message: " + (int) type + ", " + length;
      }
      at += length + 1;
    }
    return "";
  }
}

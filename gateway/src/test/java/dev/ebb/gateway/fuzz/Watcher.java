package dev.ebb.gateway.fuzz;

import dev.ebb.gateway.RawClient;
import dev.ebb.gateway.RealPostgres;
import dev.ebb.gateway.Wire;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A client that does nothing wrong, all the time: it asks for a token of its own and for what
 * others may have left in the session, and must get that answer, whole and nothing else.
 */
final class Watcher implements AutoCloseable {
  private static final long FIRST_TOKEN = 1L << 40;

  /** What is as a fresh session has it, in one column. */
  private static final String CLEAN =
      "concat_ws(',', current_setting('search_path'), current_setting('application_name'),"
          + " current_setting('statement_timeout'), coalesce(current_setting('app.t', true), ''),"
          + " current_user, pg_current_xact_id_if_assigned(), (SELECT count(*) FROM pg_class WHERE"
          + " relnamespace = pg_my_temp_schema()), (SELECT count(*) FROM pg_locks WHERE locktype ="
          + " 'advisory' AND pid = pg_backend_pid()), (SELECT count(*) FROM pg_cursors WHERE"
          + " is_holdable), (SELECT count(*) FROM pg_prepared_statements WHERE from_sql))";

  private final RawClient client;
  private final String name;
  private final Thread thread;
  private final String clean;
  private long asked;
  private volatile boolean ends;
  private volatile @Nullable Throwable failure;

  Watcher(String name, int port, String user) throws Exception {
    this.name = name;
    client = RawClient.login(port, user, RealPostgres.PASSWORD, Fuzzed.DATABASE);
    clean = "\"$user\", public,,5s,," + user + ",0,0,0,0";
    thread = Thread.ofVirtual().name(name).start(this::run);
  }

  private void run() {
    try {
      while (!ends) {
        ask();
      }
    } catch (Exception | AssertionError e) {
      failure = e;
    }
  }

  private void ask() throws IOException {
    var token = new Token(FIRST_TOKEN + (asked++ << 4 | port()));
    var wire = new Wire();
    boolean isSimple = asked % 2 == 0;
    if (isSimple) {
      wire.query("SELECT '" + token + "', " + CLEAN);
    } else {
      wire.parse("", "SELECT $1::text, " + CLEAN).bind("", "", token + "").execute("", 0).sync();
    }
    client.send(wire.bytes());
    List<String> answer =
        client.transcript(1).stream().filter(each -> !each.startsWith("T ")).toList();
    String row = "D .." + ".{4}" + token + ".{4}" + java.util.regex.Pattern.quote(clean);
    List<String> shapes =
        isSimple
            ? List.of(row, "C SELECT 1.", "Z I")
            : List.of("1 ", "2 ", row, "C SELECT 1.", "Z I");
    boolean isRight = answer.size() == shapes.size();
    for (int i = 0; isRight && i < shapes.size(); i++) {
      isRight = answer.get(i).matches("(?s)" + shapes.get(i));
    }
    if (!isRight) {
      throw new AssertionError(name + " asked for " + token + " and was told " + answer);
    }
  }

  private int port() {
    return name.hashCode() & 15;
  }

  long asked() {
    return asked;
  }

  /** Why it stopped; null where it goes on. */
  @Nullable Throwable failure() {
    return failure;
  }

  @Override
  public void close() throws IOException {
    ends = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    client.close();
  }
}

package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who may not connect wakes nothing: neither by PostgreSQL's rights nor by its address. */
final class RightsIT {
  private static final Duration BOUND = Duration.ofSeconds(30);

  @TempDir private Path directory;
  private Server server;

  @BeforeEach
  void start() throws Exception {
    server = new Server(directory).start();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static String refusal(Database database, String role) {
    try (Connection connection = database.connect(role, "guest")) {
      return "let in: " + connection;
    } catch (SQLException e) {
      return e.getSQLState();
    }
  }

  @Test
  void rightsOfASleepingDatabaseAreKnownWithoutAWake() throws Exception {
    Database shop = server.create("shop");
    shop.execute(
        "CREATE ROLE kept_out LOGIN PASSWORD 'guest'",
        "CREATE ROLE let_in LOGIN PASSWORD 'guest'",
        "CREATE ROLE locked NOLOGIN PASSWORD 'guest'",
        "CREATE ROLE late LOGIN PASSWORD 'guest' VALID UNTIL '2001-01-01'",
        "CREATE ROLE crowded LOGIN PASSWORD 'guest' CONNECTION LIMIT 0",
        "REVOKE CONNECT ON DATABASE shop FROM public",
        "GRANT CONNECT ON DATABASE shop TO let_in");
    for (String state : List.of("awake", "asleep")) {
      if (state.equals("asleep")) {
        shop.suspend();
      }
      assertThat(refusal(shop, "kept_out")).as(state).isEqualTo("42501");
      assertThat(refusal(shop, "locked")).as(state).isEqualTo("28000");
      assertThat(refusal(shop, "late")).as(state).isEqualTo("28P01");
      assertThat(refusal(shop, "crowded")).as(state).isEqualTo("53300");
    }
    assertThat(shop.state()).isEqualTo("suspended");

    server.api().send("PUT", "/v1/databases/shop/allowed", Map.of("addresses", List.of("::1")));
    Await.until("the list", BOUND, () -> "28000".equals(refusal(shop, "let_in")));
    shop.suspend();
    assertThat(refusal(shop, "let_in")).isEqualTo("28000");
    assertThat(shop.state()).isEqualTo("suspended");

    server
        .api()
        .send("PUT", "/v1/databases/shop/allowed", Map.of("addresses", List.of("127.0.0.0/8")));
    Await.until("the other list", BOUND, () -> isLetIn(shop));
  }

  private static boolean isLetIn(Database shop) {
    try (Connection connection = shop.connect("let_in", "guest")) {
      return connection.isValid(30);
    } catch (SQLException e) {
      return false;
    }
  }
}

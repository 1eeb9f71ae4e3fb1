package dev.ebb.launcher.process;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ebb up} as a process: what it prints works, and every way to end it leads back. */
final class UpIT {
  private static final Duration START = Duration.ofMinutes(2);
  private static final Duration STOP = Duration.ofMinutes(1);
  private static final Duration REFUSAL = Duration.ofSeconds(30);
  private static final Pattern LINE =
      Pattern.compile("psql \"postgres://(\\w+):(\\w+)@([\\d.]+):(\\d+)/(\\w+)\"");

  @TempDir private Path directory;

  private int port;
  private int httpPort;

  @BeforeEach
  void prepare() throws Exception {
    // PostgreSQL's user must get to its files where the test runs as root.
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    List<Integer> free = FreePorts.take(2);
    port = free.get(0);
    httpPort = free.get(1);
  }

  private Path data() {
    return directory.resolve("data");
  }

  private EbbProcess up(String... more) throws Exception {
    String[] words = new String[9 + more.length];
    words[0] = "up";
    words[1] = "--data";
    words[2] = data().toString();
    words[3] = "--port";
    words[4] = String.valueOf(port);
    words[5] = "--http-port";
    words[6] = String.valueOf(httpPort);
    words[7] = "--pool-port";
    words[8] = "0";
    System.arraycopy(more, 0, words, 9, more.length);
    return EbbProcess.start(directory, Map.of(), words);
  }

  private Connection connect(String password) throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port + "/ebb", "app", password);
  }

  private int count(String password) throws SQLException {
    try (Connection connection = connect(password);
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("SELECT count(*) FROM item")) {
      rows.next();
      return rows.getInt(1);
    }
  }

  /** As a standby of the branch asks for it: the WAL sender's port is in the log. */
  private String endOfLog(String user) throws Exception {
    Matcher sender =
        Pattern.compile("standbys are served on port (\\d+)")
            .matcher(Files.readString(data().resolve("log/ebb.log")));
    assertThat(sender.find()).isTrue();
    var login = new Properties();
    login.setProperty("user", user);
    login.setProperty("password", Files.readString(data().resolve("wal-token")).strip());
    login.setProperty("replication", "true");
    login.setProperty("assumeMinServerVersion", "14");
    login.setProperty("preferQueryMode", "simple");
    try (Connection connection =
            DriverManager.getConnection(
                "jdbc:postgresql://127.0.0.1:" + sender.group(1) + "/replication", login);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("IDENTIFY_SYSTEM")) {
      row.next();
      assertThat(row.getString("systemid")).isNotBlank();
      return row.getString("xlogpos");
    }
  }

  private EbbProcess cli(String... words) throws Exception {
    return EbbProcess.start(directory, Map.of("EBB_DATA", data().toString()), words);
  }

  private String answer(String... words) throws Exception {
    try (EbbProcess command = cli(words)) {
      assertThat(command.awaitExit(REFUSAL)).as(command.output()).isZero();
      return command.output();
    }
  }

  @Test
  void printedLineWorksAndDataOutlivesEveryEnd() throws Exception {
    String password;
    try (EbbProcess first = up()) {
      Matcher line = LINE.matcher(first.awaitLine("psql \"postgres://", START));
      assertThat(line.find()).isTrue();
      password = line.group(2);
      try (Connection connection = connect(password);
          Statement statement = connection.createStatement()) {
        statement.execute("CREATE TABLE item (id int)");
        statement.execute("INSERT INTO item VALUES (1)");
      }
      assertThat(answer("db", "list")).contains("ebb").contains("app");
      assertThat(answer("ps")).contains("running");
      assertThat(endOfLog("ebb")).isNotEqualTo("0/0");
      assertThat(answer("suspend", "ebb")).contains("ebb is suspended");
      assertThat(endOfLog("ebb@main")).isNotEqualTo("0/0");
      assertThat(answer("db", "create", "shop", "--password", "s3cret"))
          .contains("psql \"postgres");
      assertThat(answer("db", "drop", "shop")).contains("dropped");

      try (EbbProcess second = up()) {
        assertThat(second.awaitExit(REFUSAL)).isEqualTo(1);
        assertThat(second.output())
            .hasLineCount(1)
            .contains("another ebb (process " + first.pid() + ")", "--data");
      }
      first.terminate();
      assertThat(first.awaitExit(STOP)).as(first.output()).isZero();
      assertThat(data().resolve("endpoint.json")).doesNotExist();
    }
    try (EbbProcess again = up()) {
      again.awaitLine("Ebb is up", START);
      assertThat(again.output()).doesNotContain(password);
      assertThat(count(password)).isEqualTo(1);
      again.kill();
    }
    try (EbbProcess afterKill = up()) {
      afterKill.awaitLine("Ebb is up", START);
      assertThat(count(password)).isEqualTo(1);
    }
    try (EbbProcess nobody = cli("ps")) {
      assertThat(nobody.awaitExit(REFUSAL)).isEqualTo(3);
    }
  }

  @Test
  void portInUseIsToldWithItsFlag() throws Exception {
    try (var taken = new ServerSocket(port, 1, InetAddress.getLoopbackAddress());
        EbbProcess refused = up()) {
      assertThat(taken.isBound()).isTrue();
      assertThat(refused.awaitExit(REFUSAL)).isEqualTo(1);
      assertThat(refused.output()).hasLineCount(1).contains("port " + port, "in use", "--port");
    }
  }
}

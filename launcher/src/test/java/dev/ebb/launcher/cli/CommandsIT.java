package dev.ebb.launcher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.client.ServerLocation;
import dev.ebb.launcher.process.EbbProcess;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands against an API that is not real: what they send, print and exit with. */
final class CommandsIT {
  private static final String DATABASES =
      """
      {"databases":[{"name":"blog","owner":"writer","postgresVersion":15,"state":"ready","branches":[\
      {"name":"dev","state":"running"},{"name":"main","state":"suspended"}]},\
      {"name":"shop","owner":"app","postgresVersion":18,"state":"creating","branches":[]}]}\
      """;
  private static final String COMPUTES =
      """
      {"computes":[{"database":"shop","branch":"main","kind":"primary","state":"running",\
      "host":"h1","port":5000,"pid":71,"uptimeMs":65000,"idleMs":900,"connections":3,\
      "residentBytes":52428800,"hydratedBytes":1536,"durableLsn":"0/16B3748"},\
      {"database":"shop","branch":"main","kind":"replica","replica":"r1","state":"running",\
      "host":"h1","port":5001,"pid":72,"uptimeMs":5000,"connections":1,\
      "residentBytes":20971520,"hydratedBytes":0,"durableLsn":"0/16B3748",\
      "lagBytes":1536,"lagMs":250}],"hosts":[]}\
      """;

  @TempDir private Path directory;

  private final FakeApi api = new FakeApi();

  private record Outcome(int code, String out, String err) {}

  @BeforeEach
  void leaveWhatAServerLeaves() throws IOException {
    new ServerLocation(api.url(), "127.0.0.1", 6432, 1).write(directory);
    Files.writeString(directory.resolve("token"), FakeApi.TOKEN + "\n");
  }

  @AfterEach
  void close() {
    api.close();
  }

  private Outcome run(String... words) {
    List<String> arguments = new ArrayList<>(List.of(words));
    int at = arguments.indexOf("--");
    arguments.addAll(at < 0 ? arguments.size() : at, List.of("--data", directory.toString()));
    return runBare(arguments.toArray(String[]::new));
  }

  private static Outcome runBare(String... words) {
    var out = new StringWriter();
    var err = new StringWriter();
    int code =
        EbbCommand.commandLine(Map.of(), words)
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(words);
    return new Outcome(code, out.toString(), err.toString());
  }

  @Test
  void createSendsTheDatabaseAndPrintsThePsqlLine() {
    api.answer("POST /v1/databases", 201, "{\"name\":\"shop\"}");

    Outcome outcome = run("db", "create", "shop", "--owner", "app", "--password", "s3cret");

    assertThat(outcome.code()).isZero();
    assertThat(api.requests())
        .containsExactly(
            "POST /v1/databases {\"name\":\"shop\",\"owner\":\"app\",\"password\":\"s3cret\"}");
    assertThat(outcome.out())
        .isEqualTo(
            """
            created database shop, owner app
            psql "postgres://app@127.0.0.1:6432/shop"
            """);
  }

  @Test
  void createWithoutPasswordMakesOneAndShowsIt() {
    api.answer("POST /v1/databases", 201, "{\"name\":\"shop\"}");

    Outcome outcome = run("db", "create", "shop", "--json");

    assertThat(outcome.out()).matches("\\{\"name\":\"shop\",\"password\":\"\\w{32}\"}\n");
  }

  /** As {@code ebb ps | true}: the reader has gone before anything is printed. */
  @Test
  void whatNobodyReadsEndsQuietlyAsBySigpipe() throws Exception {
    api.answer("GET /v1/computes", 200, "{\"computes\":[]}");
    api.answer("GET /v1/databases/shop/branches", 200, "{\"branches\":[]}");
    Path errors = directory.resolve("errors");
    for (List<String> words :
        List.of(
            List.of("ps"),
            List.of("ps", "--json"),
            List.of("branch", "list", "shop"),
            List.of("--help"))) {
      List<String> all = new ArrayList<>(words);
      if (words.size() > 1 || words.contains("ps")) {
        all.addAll(List.of("--data", directory.toString()));
      }
      Process process =
          EbbProcess.builder(directory, Map.of(), all.toArray(String[]::new))
              .redirectError(errors.toFile())
              .start();
      process.getInputStream().close();
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("it ended: %s", words).isTrue();
      assertThat(Files.readString(errors)).as("of %s", words).isEmpty();
      assertThat(process.exitValue()).as("of %s", words).isEqualTo(141);
    }
  }

  @Test
  void whatCannotBeWrittenIsTold() throws Exception {
    api.answer("GET /v1/computes", 200, "{\"computes\":[]}");
    Path errors = directory.resolve("errors");
    Process process =
        EbbProcess.builder(directory, Map.of(), "ps", "--data", directory.toString())
            .redirectOutput(Path.of("/dev/full").toFile())
            .redirectError(errors.toFile())
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("it ended").isTrue();
    assertThat(Files.readString(errors))
        .startsWith("ebb: cannot write to standard output: ")
        .hasLineCount(1);
    assertThat(process.exitValue()).isEqualTo(1);
  }

  @Test
  void twoPasswordsAreWrongUsage() {
    Outcome outcome = run("db", "create", "shop", "--password", "a", "--password-stdin");

    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err().lines()).hasSize(1);
    assertThat(api.requests()).isEmpty();
  }

  @Test
  void branchIsMadeOfAnotherOneAtAPoint() {
    api.answer(
        "POST /v1/databases/shop/branches",
        201,
        "{\"name\":\"dev\",\"parent\":\"qa\",\"forkLsn\":\"0/16B3748\"}");

    Outcome outcome =
        run("branch", "create", "shop@dev", "--from", "shop@qa", "--at", "2026-11-22 10:00+00");

    assertThat(outcome.out()).isEqualTo("created branch shop@dev of shop@qa at 0/16B3748\n");
    assertThat(api.requests())
        .containsExactly(
            "POST /v1/databases/shop/branches"
                + " {\"name\":\"dev\",\"from\":\"qa\",\"at\":\"2026-11-22 10:00+00\"}");
  }

  @Test
  void branchOfAnotherDatabaseIsRefusedWithoutAsking() {
    Outcome outcome = run("branch", "create", "shop@dev", "--from", "other@main");

    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains("\"other@main\" is not of shop");
    assertThat(api.requests()).isEmpty();
  }

  @Test
  void restoreTellsWhereTheOldHeadIs() {
    api.answer(
        "POST /v1/databases/shop/branches/main/restore",
        200,
        "{\"branch\":\"b\",\"forkLsn\":\"0/10\",\"keptAs\":\"main-before-1\"}");

    Outcome outcome = run("branch", "restore", "shop@main", "--at", "-10m");

    assertThat(outcome.out())
        .isEqualTo("shop@main is as it was at 0/10; what it was until now is shop@main-before-1\n");
    assertThat(api.requests())
        .containsExactly("POST /v1/databases/shop/branches/main/restore {\"at\":\"-10m\"}");
  }

  @Test
  void branchIsDroppedByForceOnlyWhereTold() {
    api.answer("DELETE /v1/databases/shop/branches/dev?force=true", 204, "");

    assertThat(run("branch", "drop", "shop@dev").err()).contains("no such thing");
    assertThat(run("branch", "drop", "shop@dev", "--if-exists").code()).isZero();
    assertThat(run("branch", "drop", "shop@dev", "--force").out())
        .isEqualTo("dropped branch shop@dev\n");
  }

  @Test
  void listPrintsAnAlignedTable() {
    api.answer("GET /v1/databases", 200, DATABASES);

    assertThat(run("db", "list").out())
        .isEqualTo(
            """
            DATABASE  OWNER   POSTGRESQL  STATE      CLIENTS FROM
            blog@dev  writer          15  running    everywhere
            blog      writer          15  suspended  everywhere
            shop      app             18  creating   everywhere
            """);
  }

  @Test
  void allowedAddressesAreSetAndListed() {
    String shop =
        """
        {"name":"shop","owner":"app","postgresVersion":18,"state":"creating",
         "allowed":["10.0.0.0/8","192.0.2.7"],"branches":[]}\
        """;
    api.answer("PUT /v1/databases/shop/allowed", 200, shop);
    api.answer("GET /v1/databases", 200, "{\"databases\":[" + shop + "]}");

    assertThat(run("db", "allow", "shop", "10.0.0.0/8", "192.0.2.7").out())
        .isEqualTo("shop takes clients from 10.0.0.0/8, 192.0.2.7\n");
    assertThat(run("db", "allow", "shop", "--everywhere").out())
        .isEqualTo("shop takes clients from everywhere\n");
    assertThat(run("db", "allow", "shop").err()).contains("--everywhere");
    assertThat(run("db", "list").out()).contains("creating  10.0.0.0/8,192.0.2.7\n");
    assertThat(api.requests())
        .containsExactly(
            "PUT /v1/databases/shop/allowed {\"addresses\":[\"10.0.0.0/8\",\"192.0.2.7\"]}",
            "PUT /v1/databases/shop/allowed {\"addresses\":[]}",
            "GET /v1/databases");
  }

  @Test
  void jsonIsTheApisOwn() {
    api.answer("GET /v1/databases", 200, DATABASES);
    api.answer("GET /v1/computes", 200, COMPUTES);

    assertThat(run("db", "list", "--json").out()).isEqualTo(DATABASES + "\n");
    assertThat(run("ps", "--json").out()).isEqualTo(COMPUTES + "\n");
  }

  @Test
  void psPrintsFiguresForPeople() {
    api.answer("GET /v1/computes", 200, COMPUTES);

    assertThat(run("ps").out())
        .isEqualTo(
            """
            DATABASE  KIND     STATE    PID    UP  IDLE  CLIENTS  MEMORY  FETCHED  DURABLE                LAG  HOST
            shop      primary  running   71  1m5s    0s        3   50 MB   1.5 kB  0/16B3748                -  h1
            shop      replica  running   72    5s     -        1   20 MB      0 B  0/16B3748  1.5 kB / 250 ms  h1
            """);
  }

  @Test
  void replicasAreAddedRemovedAndListed() {
    String path = "/v1/databases/shop/branches/dev/replicas";
    api.answer("POST " + path, 200, "{\"branch\":\"b\",\"wanted\":3,\"changed\":[\"r1\",\"r2\"]}");
    api.answer(
        "DELETE " + path + "?count=1", 200, "{\"branch\":\"b\",\"wanted\":2,\"changed\":[\"r1\"]}");
    api.answer(
        "GET " + path,
        200,
        "{\"wanted\":2,\"replicas\":[{\"replica\":\"r2\",\"state\":\"starting\",\"lagBytes\":0,"
            + "\"lagMs\":0,\"host\":\"h1\"}]}");

    assertThat(run("replica", "add", "shop@dev", "--count", "2").out())
        .isEqualTo("added 2 replicas of shop@dev, which is to have 3\n");
    assertThat(run("replica", "remove", "shop@dev").out())
        .isEqualTo("removed 1 replica of shop@dev, which is to have 2\n");
    assertThat(run("replica", "list", "shop@dev").out())
        .contains("r2", "starting", "0 B / 0 ms")
        .endsWith("shop@dev is to have 2\n");
    assertThat(run("replica").code()).isEqualTo(2);
  }

  @Test
  void suspendAndWakeAddressTheBranch() {
    api.answer("POST /v1/databases/shop/branches/main/suspend", 200, "{\"wasRunning\":true}");
    api.answer("POST /v1/databases/shop/branches/dev/wake", 200, "{\"started\":false}");

    assertThat(run("suspend", "shop").out()).isEqualTo("shop is suspended\n");
    assertThat(run("wake", "shop@dev").out()).isEqualTo("shop@dev was awake already\n");
  }

  @Test
  void dropNeedsNoAnswerWhereThereIsNoTerminal() {
    api.answer("DELETE /v1/databases/shop", 204, "");

    assertThat(run("db", "drop", "shop")).isEqualTo(new Outcome(0, "dropped database shop\n", ""));
    assertThat(run("db", "drop", "shop", "--json").out())
        .isEqualTo("{\"name\":\"shop\",\"dropped\":true}\n");
  }

  @Test
  void dropOfNothingFailsUnlessAllowed() {
    assertThat(run("db", "drop", "none")).isEqualTo(new Outcome(1, "", "ebb: no such thing\n"));
    assertThat(run("db", "drop", "none", "--if-exists").code()).isZero();
  }

  @Test
  void psqlLineNamesTheOwnerAndPassesArguments() {
    api.answer("GET /v1/databases/blog", 200, "{\"name\":\"blog\",\"owner\":\"writer\"}");

    assertThat(run("psql", "blog@dev", "--exec-line", "--", "-c", "SELECT 'x'").out())
        .isEqualTo(
            "exec 'psql' 'host='\\''127.0.0.1'\\'' port=6432 user='\\''writer'\\''"
                + " dbname='\\''blog@dev'\\''' '-c' 'SELECT '\\''x'\\'''\n");
  }

  @Test
  void psqlOfAnUnknownDatabaseSaysSo() {
    assertThat(run("psql", "none")).isEqualTo(new Outcome(1, "", "ebb: no such thing\n"));
  }

  @Test
  void serversOwnWordsAreTold() {
    api.answer("POST /v1/databases", 409, "{\"detail\":\"shop exists already\"}");

    assertThat(run("db", "create", "shop", "--password", "x"))
        .isEqualTo(new Outcome(1, "", "ebb: shop exists already\n"));
  }

  @Test
  void wrongTokenIsTold() {
    Outcome outcome = run("db", "list", "--token", "wrong");

    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err()).contains("refused the token").doesNotContain("wrong").hasLineCount(1);
  }

  @Test
  void nobodyAtTheAddressIsCodeThree() throws IOException {
    int port;
    try (var socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }

    Outcome outcome = run("ps", "--url", "http://127.0.0.1:" + port);

    assertThat(outcome.code()).isEqualTo(3);
    assertThat(outcome.err()).contains("no server answers").hasLineCount(1);
  }

  @Test
  void garbageUrlIsTold() {
    assertThat(run("ps", "--url", "not a url").err()).contains("is not a URL").hasLineCount(1);
    assertThat(run("ps", "--url", "file:///etc/passwd").err()).contains("is not a URL");
  }

  @Test
  void wrongUsageIsCodeTwoAndOneLine() {
    for (String[] words :
        new String[][] {
          {},
          {"db"},
          {"nonsense"},
          {"suspend"},
          {"ps", "--nonsense"},
          {"wake", "a@"},
          {"branch", "drop", "a@.."},
          {"run", "x"}
        }) {
      Outcome outcome = runBare(words);
      assertThat(outcome.code()).as(String.join(" ", words)).isEqualTo(2);
      assertThat(outcome.err()).as(String.join(" ", words)).hasLineCount(1);
    }
  }

  private static final String STEP =
      "{\"finished\":true,\"bytesDone\":2048,\"bytesTotal\":2048,\"objects\":3,\"pages\":7,"
          + "\"damaged\":[%s],\"missing\":[],\"orphans\":[{\"object\":\"branches/b/packs/x-0\","
          + "\"bytes\":5,\"problem\":\"nothing refers to it\"}]}";

  @Test
  void fsckOfASoundDatabaseListsOrphansAndEndsTheCheck() {
    api.answer("POST /v1/checks", 201, "{\"id\":\"h1.c1\"}");
    api.answer("POST /v1/checks/h1.c1/step", 200, STEP.formatted(""));
    api.answer("DELETE /v1/checks/h1.c1", 204, "");

    Outcome outcome = run("fsck", "shop");

    assertThat(outcome.code()).isZero();
    assertThat(outcome.out())
        .isEqualTo(
            """
            orphan branches/b/packs/x-0: nothing refers to it
            checked 3 objects of 2.0 kB and 7 pages: 0 damaged, 0 missing, 1 orphans
            """);
    assertThat(api.requests())
        .containsExactly(
            "POST /v1/checks {\"database\":\"shop\"}",
            "POST /v1/checks/h1.c1/step",
            "DELETE /v1/checks/h1.c1");
  }

  @Test
  void fsckFailsWhereSomethingIsDamaged() {
    api.answer("POST /v1/checks", 201, "{\"id\":\"h1.c1\"}");
    api.answer(
        "POST /v1/checks/h1.c1/step",
        200,
        STEP.formatted("{\"object\":\"branches/b/packs/y-0\",\"bytes\":1,\"problem\":\"bad\"}"));

    Outcome outcome = run("fsck");
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.out()).contains("damaged branches/b/packs/y-0: bad");
    assertThat(outcome.err()).contains("1 thing is damaged or missing").hasLineCount(1);

    Outcome json = run("fsck", "--json");
    assertThat(json.code()).isEqualTo(1);
    assertThat(json.out()).startsWith("{\"objects\":3,\"pages\":7,\"bytes\":2048,\"damaged\":[{");
  }

  @Test
  void everyCommandHasHelpWithAnExample() {
    for (String command :
        List.of(
            "up",
            "run",
            "db",
            "db create",
            "db list",
            "db allow",
            "db drop",
            "suspend",
            "wake",
            "ps",
            "psql",
            "fsck",
            "config",
            "config show")) {
      String[] words = (command + " --help").split(" ", -1);
      Outcome outcome = runBare(words);
      assertThat(outcome.code()).as(command).isZero();
      assertThat(outcome.out()).as(command).contains("./ebb " + words[0]);
    }
  }

  @Test
  void helpListsEveryCommand() {
    assertThat(runBare("--help").out())
        .contains(
            "  up ",
            "  run ",
            "  db ",
            "  suspend ",
            "  wake ",
            "  ps ",
            "  psql ",
            "  fsck ",
            "  config ")
        .contains("Exit codes");
    assertThat(runBare("--version").out()).matches("ebb \\d.*\n");
  }

  @Test
  void wrongConfigurationIsCodeTwo() {
    Outcome outcome = runBare("config", "show", "--port", "x", "--idle-timeout", "y");

    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err()).contains("--port").contains("--idle-timeout");
  }
}

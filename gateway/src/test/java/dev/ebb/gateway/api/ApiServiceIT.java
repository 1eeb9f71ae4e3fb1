package dev.ebb.gateway.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.gateway.Await;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage.AddReplicas;
import dev.ebb.shared.bus.ComputeMessage.BranchCreated;
import dev.ebb.shared.bus.ComputeMessage.BranchReplaced;
import dev.ebb.shared.bus.ComputeMessage.BranchesDescribed;
import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.CreateBranch;
import dev.ebb.shared.bus.ComputeMessage.CreateDatabase;
import dev.ebb.shared.bus.ComputeMessage.CreateDatabaseOf;
import dev.ebb.shared.bus.ComputeMessage.DatabaseCreated;
import dev.ebb.shared.bus.ComputeMessage.DescribeBranches;
import dev.ebb.shared.bus.ComputeMessage.DropBranch;
import dev.ebb.shared.bus.ComputeMessage.DropDatabase;
import dev.ebb.shared.bus.ComputeMessage.DropProtectedDatabase;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ProtectBranch;
import dev.ebb.shared.bus.ComputeMessage.RemoveReplicas;
import dev.ebb.shared.bus.ComputeMessage.RenameBranch;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicasChanged;
import dev.ebb.shared.bus.ComputeMessage.ResetBranch;
import dev.ebb.shared.bus.ComputeMessage.RestoreBranch;
import dev.ebb.shared.bus.ComputeMessage.SuspendBranch;
import dev.ebb.shared.bus.ComputeMessage.Suspended;
import dev.ebb.shared.bus.ComputeMessage.WakeBranch;
import dev.ebb.shared.bus.ComputeMessage.WakeParts;
import dev.ebb.shared.bus.Ok;
import dev.ebb.shared.catalog.BranchRecord;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.catalog.DatabaseRecord;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.ScramVerifier;
import dev.ebb.shared.store.LocalObjectStore;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ApiServiceIT {
  private static final String TOKEN = "a-token-for-the-tests";
  private static final BranchId MAIN = new BranchId("shopmain");

  @TempDir Path directory;
  private final Vertx vertx = Vertx.vertx();
  private final HttpClient http = HttpClient.newHttpClient();
  private final List<BusMessage> asked = new CopyOnWriteArrayList<>();
  private final AtomicReference<RuntimeException> failure = new AtomicReference<>();
  private final AtomicReference<Future<?>> readiness =
      new AtomicReference<>(Future.succeededFuture());

  @SuppressWarnings("NullAway.Init")
  private ApiService service;

  @SuppressWarnings("NullAway.Init")
  private Catalog catalog;

  @BeforeEach
  void start() {
    var store = new LocalObjectStore(directory);
    catalog = new Catalog(store);
    new Bus(vertx).answer(Addresses.COMPUTE, this::answer);
    service =
        new ApiService(store, config(0), new PrometheusMeterRegistry(PrometheusConfig.DEFAULT));
    Await.get(vertx.deployVerticle(service));
  }

  private ApiConfig config(int port) {
    return new ApiConfig(
        "127.0.0.1",
        port,
        new Secret(TOKEN),
        List.of(new ApiConfig.ReadinessCheck("wal", readiness::get)));
  }

  @AfterEach
  void stop() {
    http.close();
    Await.get(vertx.close());
  }

  private Future<? extends BusMessage> answer(BusMessage message) {
    asked.add(message);
    RuntimeException error = failure.get();
    if (error != null) {
      return Future.failedFuture(error);
    }
    return Future.succeededFuture(
        switch (message) {
          case CreateDatabase create -> {
            addToCatalog(create.name(), create.owner());
            yield new DatabaseCreated(new DatabaseId(create.name()), MAIN);
          }
          case CreateDatabaseOf create -> {
            addToCatalog(create.name(), create.owner());
            yield new DatabaseCreated(new DatabaseId(create.name()), MAIN);
          }
          case DropDatabase drop -> new Ok();
          case DropProtectedDatabase drop -> new Ok();
          case CreateBranch create -> {
            addBranch(create.database(), create.branch());
            yield new BranchCreated(new BranchId("child"), Lsn.parse("0/16B3748"));
          }
          case DropBranch drop -> new Ok();
          case RenameBranch rename -> {
            addBranch(rename.database(), rename.to());
            yield new Ok();
          }
          case ProtectBranch protect -> new Ok();
          case AddReplicas add ->
              new ReplicasChanged(MAIN, 2, List.of(new ReplicaId("r1"), new ReplicaId("r2")));
          case RemoveReplicas remove -> new ReplicasChanged(MAIN, 0, List.of(new ReplicaId("r1")));
          case ResetBranch reset ->
              new BranchReplaced(new BranchId("fresh"), Lsn.parse("0/16B3748"), "");
          case RestoreBranch restore ->
              new BranchReplaced(new BranchId("fresh"), Lsn.parse("0/16B3748"), "main-before");
          case DescribeBranches describe ->
              new BranchesDescribed(
                  List.of(
                      new BranchesDescribed.BranchSize(MAIN, 8_192, 17, Lsn.parse("0/16B3748"))));
          case SuspendBranch suspend -> new Suspended(true, Lsn.parse("0/16B3748"), 1234);
          case WakeBranch wake ->
              new ComputeReady(
                  MAIN,
                  new Generation(7),
                  new HostId("host1"),
                  "127.0.0.1",
                  5000,
                  true,
                  new WakeParts(1, 2, 3, 4, 5, 15));
          default -> throw new EbbException.Invalid("not faked");
        });
  }

  private void addToCatalog(String name, String owner) {
    var id = new DatabaseId(name);
    catalog.create(DatabaseRecord.creating(id, name, owner, 0, MAIN));
    catalog.markReady(name, id);
  }

  private void addBranch(String database, String name) {
    var id = new BranchId("child");
    catalog.changeBranches(
        database,
        new DatabaseId(database),
        tree ->
            tree.add(name, BranchRecord.creating(id, MAIN, 0))
                .ready(name, id, Lsn.parse("0/16B3748")));
  }

  private HttpRequest.Builder to(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + service.port() + path));
  }

  private HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
    return http.send(request.build(), BodyHandlers.ofString());
  }

  private HttpResponse<String> get(String path) throws Exception {
    return send(to(path).header("Authorization", "Bearer " + TOKEN));
  }

  private HttpResponse<String> post(String path, String body) throws Exception {
    return send(
        to(path)
            .header("Authorization", "Bearer " + TOKEN)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(body)));
  }

  private static JsonObject problem(HttpResponse<String> response, int status) {
    assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
    assertThat(response.headers().firstValue("Content-Type")).contains("application/problem+json");
    var problem = new JsonObject(response.body());
    assertThat(problem.getInteger("status")).isEqualTo(status);
    assertThat(problem.getString("detail")).isNotBlank();
    return problem;
  }

  @Test
  void createdDatabaseIsListedAndItsPasswordIsSentAsVerifierOnly() throws Exception {
    var created =
        post("/v1/databases", "{\"name\":\"shop\",\"owner\":\"app\",\"password\":\"s3cret\"}");
    assertThat(created.statusCode()).as(created.body()).isEqualTo(201);
    assertThat(created.headers().firstValue("Location")).contains("/v1/databases/shop");
    assertThat(created.body()).doesNotContain("s3cret", "SCRAM");
    var request = (CreateDatabase) asked.getFirst();
    assertThat(ScramVerifier.parse(request.ownerVerifier()).matches(new Secret("s3cret"))).isTrue();

    var expected =
        new JsonObject(
            """
            {"id":"shop","name":"shop","owner":"app","postgresVersion":18,"state":"ready",
             "created":"1970-01-01T00:00:00Z",
             "branches":[{"id":"shopmain","name":"main","state":"suspended",
                          "created":"1970-01-01T00:00:00Z","protected":false,"replicas":0}]}
            """);
    assertThat(new JsonObject(created.body())).isEqualTo(expected);
    assertThat(new JsonObject(get("/v1/databases/shop").body())).isEqualTo(expected);
    assertThat(
            new JsonObject(get("/v1/databases").body()).getJsonArray("databases").getJsonObject(0))
        .isEqualTo(expected);
  }

  @Test
  void versionThatIsAskedForIsPassedOn() throws Exception {
    var created =
        post(
            "/v1/databases",
            "{\"name\":\"shop\",\"owner\":\"app\",\"password\":\"s3cret\",\"postgresVersion\":15}");
    assertThat(created.statusCode()).as(created.body()).isEqualTo(201);
    assertThat(((CreateDatabaseOf) asked.getFirst()).postgres()).isEqualTo(new PostgresMajor(15));

    for (String wrong : List.of("\"15\"", "15.3", "0", "-1", "[]", "99999999999")) {
      var refused =
          post(
              "/v1/databases",
              "{\"name\":\"blog\",\"owner\":\"app\",\"password\":\"s3cret\",\"postgresVersion\":"
                  + wrong
                  + "}");
      assertThat(problem(refused, 400).getString("detail")).as(wrong).contains("postgresVersion");
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "[]",
        "null",
        "{\"name\":\"shop\",\"owner\":\"app\"}",
        "{\"name\":\"shop\",\"owner\":\"app\",\"password\":\"\"}",
        "{\"name\":\"Shop!\",\"owner\":\"app\",\"password\":\"x\"}",
        "{\"name\":7,\"owner\":\"app\",\"password\":\"x\"}",
        "{\"name\":\"shop\",\"owner\":\"ebb_admin\",\"password\":\"x\"}",
        "{\"name\":\"shop\",\"owner\":\"app\",\"password\":\"x\",\"size\":1}"
      })
  void badBodyIs400(String body) throws Exception {
    problem(post("/v1/databases", body), 400);
    assertThat(asked).isEmpty();
  }

  @Test
  void badBodyIsNotRepeatedInTheAnswer() throws Exception {
    var answer =
        post("/v1/databases", "{\"name\":\"Shop!\",\"owner\":\"app\",\"password\":\"hunter2\"}");
    assertThat(answer.body()).doesNotContain("hunter2");
  }

  @Test
  void hugeBodyIs413() throws Exception {
    problem(post("/v1/databases", "x".repeat(100_000)), 413);
  }

  @Test
  void otherMediaTypeIsRefused() throws Exception {
    var answer =
        send(
            to("/v1/databases")
                .header("Authorization", "Bearer " + TOKEN)
                .header("Content-Type", "text/plain")
                .POST(HttpRequest.BodyPublishers.ofString("name=shop")));
    problem(answer, 400);
  }

  @Test
  void withoutTheTokenEverythingUnderV1Is401() throws Exception {
    for (String path : List.of("/v1/databases", "/v1/computes", "/v1/nosuch")) {
      var answer = send(to(path));
      assertThat(problem(answer, 401).getString("detail")).contains("Authorization: Bearer");
      assertThat(answer.headers().firstValue("WWW-Authenticate")).isPresent();
    }
    problem(send(to("/v1/databases").header("Authorization", "Bearer wrong")), 401);
    problem(send(to("/v1/databases").header("Authorization", TOKEN)), 401);
  }

  @Test
  void unknownPathsMethodsAndThingsAreProblems() throws Exception {
    problem(get("/v1/nosuch"), 404);
    problem(get("/nosuch"), 404);
    problem(get("/v1/databases/nosuch"), 404);
    problem(post("/v1/databases/nosuch/branches/main/wake", ""), 404);
    problem(post("/v1/computes", ""), 405);
    problem(get("/v1/databases/No%20Such"), 400);
    addToCatalog("shop", "app");
    assertThat(
            problem(post("/v1/databases/shop/branches/dev/suspend", ""), 404).getString("detail"))
        .contains("no branch \"dev\"");
  }

  @Test
  void suspendAndWakeTellTheirFigures() throws Exception {
    addToCatalog("shop", "app");
    assertThat(new JsonObject(post("/v1/databases/shop/branches/main/suspend", "").body()))
        .isEqualTo(
            new JsonObject(
                "{\"wasRunning\":true,\"endLsn\":\"0/16B3748\",\"captureMicros\":1234}"));
    assertThat(new JsonObject(post("/v1/databases/shop/branches/main/wake", "").body()))
        .isEqualTo(
            new JsonObject(
                """
                {"branch":"shopmain","generation":7,"host":"host1","address":"127.0.0.1",
                 "port":5000,"started":true,
                 "parts":{"headMicros":1,"manifestMicros":2,"logMicros":3,"skeletonMicros":4,
                          "postgresMicros":5,"totalMicros":15}}
                """));
    assertThat(asked).containsExactly(new SuspendBranch(MAIN, 0), new WakeBranch(MAIN));
  }

  @Test
  void branchIsMadeOfMainsHeadUnlessToldOtherwise() throws Exception {
    addToCatalog("shop", "app");
    var made = post("/v1/databases/shop/branches", "{\"name\":\"dev\"}");
    assertThat(made.statusCode()).isEqualTo(201);
    assertThat(made.headers().firstValue("Location")).contains("/v1/databases/shop/branches/dev");
    assertThat(new JsonObject(made.body()))
        .isEqualTo(
            new JsonObject(
                """
                {"id":"child","name":"dev","state":"suspended","created":"1970-01-01T00:00:00Z",
                 "protected":false,"replicas":0,"parent":"main","forkLsn":"0/16B3748"}
                """));
    assertThat(
            post(
                    "/v1/databases/shop/branches",
                    "{\"name\":\"dev\",\"from\":\"main\",\"at\":\"2026-11-22 10:00:00+00\"}")
                .statusCode())
        .isEqualTo(201);

    assertThat(asked)
        .containsExactly(
            new CreateBranch("shop", "dev", "main", null),
            new CreateBranch(
                "shop", "dev", "main", BranchPoint.at(Instant.parse("2026-11-22T10:00:00Z"))));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{}",
        "{\"name\":7}",
        "{\"name\":\"Dev\"}",
        "{\"name\":\"dev\",\"at\":\"soon\"}",
        "{\"name\":\"dev\",\"from\":\"../x\"}",
        "{\"name\":\"dev\",\"other\":1}"
      })
  void branchThatCannotBeIs400(String body) throws Exception {
    addToCatalog("shop", "app");

    var answer = post("/v1/databases/shop/branches", body);

    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(400);
    assertThat(asked).isEmpty();
  }

  @Test
  void branchesAreListedWithTheirSizes() throws Exception {
    addToCatalog("shop", "app");
    addBranch("shop", "dev");

    assertThat(new JsonObject(get("/v1/databases/shop/branches").body()))
        .isEqualTo(
            new JsonObject(
                """
                {"database":"shop","branches":[
                 {"id":"child","name":"dev","state":"suspended","created":"1970-01-01T00:00:00Z",
                  "protected":false,"replicas":0,"parent":"main","forkLsn":"0/16B3748"},
                 {"id":"shopmain","name":"main","state":"suspended",
                  "created":"1970-01-01T00:00:00Z","protected":false,"replicas":0,
                  "logicalBytes":8192,"ownBytes":17,"snapshotLsn":"0/16B3748"}]}
                """));
  }

  @Test
  void everythingElseThatBranchesUndergoIsPassedOn() throws Exception {
    addToCatalog("shop", "app");
    addBranch("shop", "dev");
    String dev = "/v1/databases/shop/branches/dev";

    assertThat(get(dev).statusCode()).isEqualTo(200);
    assertThat(get(dev + "x").statusCode()).isEqualTo(404);
    assertThat(post(dev + "/protect", "").statusCode()).isEqualTo(200);
    assertThat(post(dev + "/unprotect", "").statusCode()).isEqualTo(200);
    assertThat(new JsonObject(post(dev + "/reset", "").body()))
        .isEqualTo(new JsonObject("{\"branch\":\"fresh\",\"forkLsn\":\"0/16B3748\"}"));
    assertThat(new JsonObject(post(dev + "/restore", "{\"at\":\"0/10\"}").body()))
        .isEqualTo(
            new JsonObject(
                "{\"branch\":\"fresh\",\"forkLsn\":\"0/16B3748\",\"keptAs\":\"main-before\"}"));
    assertThat(post(dev + "/restore", "{}").statusCode()).isEqualTo(400);
    assertThat(post(dev + "/rename", "{\"name\":\"stage\"}").statusCode()).isEqualTo(200);
    assertThat(delete(dev + "?force=true").statusCode()).isEqualTo(204);
    assertThat(delete(dev).statusCode()).isEqualTo(204);
    assertThat(delete("/v1/databases/shop?force=true").statusCode()).isEqualTo(204);

    assertThat(asked)
        .containsExactly(
            new ProtectBranch("shop", "dev", true),
            new ProtectBranch("shop", "dev", false),
            new ResetBranch("shop", "dev"),
            new RestoreBranch("shop", "dev", BranchPoint.at(new Lsn(16))),
            new RenameBranch("shop", "dev", "stage"),
            new DropBranch("shop", "dev", true),
            new DropBranch("shop", "dev", false),
            new DropProtectedDatabase("shop"));
  }

  private HttpResponse<String> delete(String path) throws Exception {
    return send(to(path).header("Authorization", "Bearer " + TOKEN).DELETE());
  }

  /** A branch called {@code ..} would be its database, and dropping it the database's end. */
  @ParameterizedTest
  @ValueSource(strings = {"..", "%2e%2e", ".%2E", "../../shop", ".", "dev/.."})
  void branchOfDotsIsNotItsDatabase(String name) throws Exception {
    problem(delete("/v1/databases/shop/branches/" + name), 400);
    assertThat(asked).isEmpty();
  }

  /**
   * A name that is nothing, as that of a variable that is not set, must not mean what is around.
   */
  @ParameterizedTest
  @ValueSource(strings = {"shop//", "shop/", "shop/branches/", "shop//branches/dev", "/shop"})
  void pathWithAnEmptyPartIsRefused(String path) throws Exception {
    addToCatalog("shop", "app");
    problem(delete("/v1/databases/" + path), 400);
    assertThat(asked).isEmpty();
  }

  @Test
  void dropIs204() throws Exception {
    addToCatalog("shop", "app");
    var answer = send(to("/v1/databases/shop").header("Authorization", "Bearer " + TOKEN).DELETE());
    assertThat(answer.statusCode()).isEqualTo(204);
    assertThat(answer.body()).isEmpty();
    assertThat(asked).containsExactly(new DropDatabase("shop"));
  }

  @ParameterizedTest
  @CsvSource({
    "INVALID,400",
    "NOT_FOUND,404",
    "CONFLICT,409",
    "FENCED,409",
    "UNAVAILABLE,503",
    "EXHAUSTED,503",
    "CORRUPT,500"
  })
  void errorsOfTheServicesAreMapped(dev.ebb.shared.bus.Failure.Kind kind, int status)
      throws Exception {
    addToCatalog("shop", "app");
    failure.set(new dev.ebb.shared.bus.Failure(kind, "the reason").toException());
    var answer = post("/v1/databases/shop/branches/main/wake", "");
    assertThat(problem(answer, status).getString("detail")).isEqualTo("the reason");
    assertThat(answer.headers().firstValue("Retry-After").isPresent()).isEqualTo(status == 503);
  }

  @Test
  void computesAreListedAsAnnounced() throws Exception {
    assertThatComputesAreListed("shop", "main");
  }

  @Test
  void computeThatDoesNotKnowItsNameYetIsListedByTheCatalogs() throws Exception {
    assertThatComputesAreListed("", "");
  }

  private void assertThatComputesAreListed(String toldDatabase, String toldBranch)
      throws Exception {
    addToCatalog("shop", "app");
    var status =
        new ComputeStatus(
            MAIN,
            new DatabaseId("shop"),
            toldDatabase,
            toldBranch,
            new Generation(7),
            ComputeStatus.State.RUNNING,
            5000,
            42,
            1000,
            10,
            3,
            1,
            1,
            0,
            99,
            1 << 20,
            8192,
            16384,
            Lsn.parse("0/2"),
            Lsn.parse("0/1"));
    new Bus(vertx)
        .publish(
            Addresses.HOSTS,
            new HostAnnouncement(new HostId("host1"), "127.0.0.1", 3, 4, false, List.of(status)));
    Await.until(
        "the announcement",
        () -> {
          try {
            return get("/v1/computes").body().contains("shopmain");
          } catch (Exception e) {
            throw new IllegalStateException(e);
          }
        });
    JsonObject listed = new JsonObject(get("/v1/computes").body());
    JsonObject compute = listed.getJsonArray("computes").getJsonObject(0);
    assertThat(compute.getString("database")).isEqualTo("shop");
    assertThat(compute.getString("branch")).isEqualTo("main");
    assertThat(compute.getString("kind")).isEqualTo("primary");
    assertThat(compute.getString("state")).isEqualTo("running");
    assertThat(compute.getLong("pid")).isEqualTo(42);
    assertThat(compute.getString("durableLsn")).isEqualTo("0/1");
    assertThat(listed.getJsonArray("hosts").getJsonObject(0).getInteger("room")).isEqualTo(3);
    assertThat(get("/v1/databases/shop").body()).contains("\"state\":\"running\"");
  }

  @Test
  void replicasAreAddedAndRemovedByTheirNumber() throws Exception {
    addToCatalog("shop", "app");
    String path = "/v1/databases/shop/branches/main/replicas";

    assertThat(new JsonObject(post(path, "{\"count\":2}").body()))
        .isEqualTo(
            new JsonObject("{\"branch\":\"shopmain\",\"wanted\":2,\"changed\":[\"r1\",\"r2\"]}"));
    assertThat(post(path, "{}").statusCode()).isEqualTo(200);
    var removed = send(to(path + "?count=3").header("Authorization", "Bearer " + TOKEN).DELETE());
    assertThat(new JsonObject(removed.body()).getInteger("wanted")).isZero();
    assertThat(asked)
        .containsExactly(
            new AddReplicas("shop", "main", 2),
            new AddReplicas("shop", "main", 1),
            new RemoveReplicas("shop", "main", 3));

    problem(post(path, "{\"count\":0}"), 400);
    problem(post(path, "{\"count\":\"two\"}"), 400);
    problem(send(to(path + "?count=x").header("Authorization", "Bearer " + TOKEN).DELETE()), 400);
    assertThat(asked).hasSize(3);
  }

  @Test
  void replicasAreListedWithTheirLagBesideThePrimaries() throws Exception {
    addToCatalog("shop", "app");
    var status =
        new ReplicaStatus(
            new ReplicaId("r1"),
            MAIN,
            new DatabaseId("shop"),
            "",
            "",
            ComputeStatus.State.RUNNING,
            5001,
            43,
            1000,
            2,
            1,
            1,
            1 << 20,
            8192,
            Lsn.parse("0/100"),
            Lsn.parse("0/180"),
            250,
            4);
    new Bus(vertx)
        .publish(
            Addresses.HOSTS,
            new ReplicaAnnouncement(new HostId("host1"), "127.0.0.1", List.of(status)));
    Await.until(
        "the announcement",
        () -> {
          try {
            return get("/v1/computes").body().contains("shopmain");
          } catch (Exception e) {
            throw new IllegalStateException(e);
          }
        });
    JsonObject listed = new JsonObject(get("/v1/computes").body());
    JsonObject replica = listed.getJsonArray("computes").getJsonObject(0);
    assertThat(replica.getString("database")).as("by the catalog").isEqualTo("shop");
    assertThat(replica.getString("kind")).isEqualTo("replica");
    assertThat(replica.getLong("lagBytes")).isEqualTo(0x80);
    assertThat(replica.getLong("lagMs")).isEqualTo(250);
    assertThat(replica.getLong("conflicts")).isEqualTo(4);
    JsonObject own = new JsonObject(get("/v1/databases/shop/branches/main/replicas").body());
    assertThat(own.getInteger("wanted")).isZero();
    assertThat(own.getJsonArray("replicas")).containsExactly(replica);
    assertThat(get("/v1/databases/shop").body())
        .as("the primary sleeps all the same")
        .contains("\"state\":\"suspended\"");
    problem(get("/v1/databases/shop/branches/nix/replicas"), 404);
  }

  @Test
  void healthMetricsAndContractNeedNoToken() throws Exception {
    assertThat(send(to("/healthz/live")).statusCode()).isEqualTo(200);
    assertThat(send(to("/healthz/ready")).statusCode()).isEqualTo(200);
    assertThat(send(to("/metrics")).statusCode()).isEqualTo(200);
    assertThat(send(to("/openapi.yaml")).body()).startsWith("openapi: 3.1");
  }

  @Test
  void failingOrHangingCheckIsNotReady() throws Exception {
    readiness.set(Future.failedFuture("the broker is away"));
    var down = send(to("/healthz/ready"));
    assertThat(down.statusCode()).isEqualTo(503);
    assertThat(down.body()).contains("\"wal\":\"DOWN: the broker is away\"");
    readiness.set(Promise.promise().future());
    assertThat(send(to("/healthz/ready")).statusCode()).isEqualTo(503);
    assertThat(send(to("/healthz/live")).statusCode()).isEqualTo(200);
  }

  @Test
  void portInUseIsNamedWithItsFlag() {
    var second =
        new ApiService(
            new LocalObjectStore(directory.resolve("other")),
            config(service.port()),
            new PrometheusMeterRegistry(PrometheusConfig.DEFAULT));
    Vertx other = Vertx.vertx();
    assertThatThrownBy(() -> Await.get(other.deployVerticle(second)))
        .hasMessageContaining("127.0.0.1:" + service.port())
        .hasMessageContaining("--http-port");
    Await.get(other.close());
  }

  private HttpResponse<String> allow(String body) throws Exception {
    return send(
        to("/v1/databases/shop/allowed")
            .header("Authorization", "Bearer " + TOKEN)
            .header("Content-Type", "application/json")
            .PUT(HttpRequest.BodyPublishers.ofString(body)));
  }

  @Test
  void allowedAddressesAreKeptInTheCatalogAndShown() throws Exception {
    problem(allow("{\"addresses\":[]}"), 404);
    addToCatalog("shop", "app");

    var allowed = allow("{\"addresses\":[\"10.0.0.0/8\",\"2001:db8::/32\"]}");
    assertThat(allowed.statusCode()).as(allowed.body()).isEqualTo(200);
    assertThat(new JsonObject(get("/v1/databases/shop").body()).getJsonArray("allowed"))
        .isEqualTo(new JsonArray().add("10.0.0.0/8").add("2001:db8:0:0:0:0:0:0/32"));
    assertThat(catalog.find("shop").orElseThrow().allowed()).hasSize(2);

    assertThat(problem(allow("{\"addresses\":[\"10.0.0.1/8\"]}"), 400).getString("detail"))
        .contains("write 10.0.0.0/8");
    problem(allow("{\"addresses\":\"10.0.0.0/8\"}"), 400);
    assertThat(new JsonObject(allow("{\"addresses\":[]}").body()).containsKey("allowed")).isFalse();
  }
}

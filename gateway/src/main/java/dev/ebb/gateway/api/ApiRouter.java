package dev.ebb.gateway.api;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.Secret;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpHeaders;
import io.vertx.core.http.HttpMethod;
import io.vertx.core.json.JsonArray;
import io.vertx.core.json.JsonObject;
import io.vertx.ext.web.Router;
import io.vertx.ext.web.RoutingContext;
import io.vertx.ext.web.handler.BodyHandler;
import io.vertx.ext.web.openapi.router.RequestExtractor;
import io.vertx.ext.web.openapi.router.RouterBuilder;
import io.vertx.openapi.contract.OpenAPIContract;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The paths: those of the contract, which checks every request, and a few beside it. */
final class ApiRouter {
  static final String CONTRACT = "dev/ebb/gateway/api/openapi.yaml";
  private static final Logger log = LoggerFactory.getLogger(ApiRouter.class);
  private static final int MAX_BODY_BYTES = 64 << 10;
  private static final Pattern DOTS = Pattern.compile("[/\\\\](?:\\.|%2[eE]){1,2}(?:[/\\\\]|$)");

  /** Two slashes in a row, or one at the end of what is longer than that. */
  private static final Pattern EMPTY = Pattern.compile("[/\\\\]{2}|.[/\\\\]$");

  private final Vertx vertx;
  private final Databases databases;
  private final Branches branches;
  private final ReplicaRequests replicas;
  private final StorageChecks checks;
  private final FleetView fleet;
  private final ApiConfig config;
  private final PrometheusMeterRegistry meters;

  ApiRouter(
      Vertx vertx,
      Databases databases,
      Branches branches,
      ReplicaRequests replicas,
      StorageChecks checks,
      FleetView fleet,
      ApiConfig config,
      PrometheusMeterRegistry meters) {
    this.vertx = vertx;
    this.databases = databases;
    this.branches = branches;
    this.replicas = replicas;
    this.checks = checks;
    this.fleet = fleet;
    this.config = config;
    this.meters = meters;
  }

  /** The router, once the contract is read. */
  Future<Router> create() {
    return OpenAPIContract.from(vertx, CONTRACT)
        .compose(contract ->
            vertx
                .fileSystem()
                .readFile(CONTRACT)
                .map(text ->
                    router(
                        RouterBuilder.create(vertx, contract, RequestExtractor.withBodyHandler()),
                        text)));
  }

  private Router router(RouterBuilder contract, Buffer contractText) {
    bind(contract, "listDatabases", request -> listDatabases());
    bind(contract, "getDatabase", request -> database(path(request, "name")));
    bind(contract, "createDatabase", this::createDatabase);
    bind(contract, "dropDatabase", this::dropDatabase);
    bind(contract, "allowAddresses", this::allow);
    bind(
        contract,
        "suspendBranch",
        request ->
            databases.suspend(path(request, "name"), path(request, "branch")).map(Json::suspended));
    bind(
        contract,
        "wakeBranch",
        request -> databases.wake(path(request, "name"), path(request, "branch")).map(Json::awake));
    bindBranches(contract);
    bindReplicas(contract);
    bind(contract, "listComputes", request -> computes());
    bind(contract, "openCheck", this::openCheck);
    bind(contract, "stepCheck", request -> checks.step(path(request, "check")));
    bind(contract, "closeCheck", this::closeCheck);

    var health = new Health(vertx, config.readiness());
    Router router = Router.router(vertx);
    router.route().handler(ApiRouter::refuseOddParts);
    router.get("/healthz/live").handler(health::live);
    router.get("/healthz/ready").handler(health::ready);
    router.get("/metrics").handler(this::metrics);
    router.get("/openapi.yaml").handler(request -> end(request, "application/yaml", contractText));
    router.route("/v1/*").handler(new BearerToken(config.token()));
    router.route("/v1/*").handler(BodyHandler.create(false).setBodyLimit(MAX_BODY_BYTES));
    router.route().subRouter(contract.createRouter());
    router.route().failureHandler(ApiRouter::failed);
    for (int status : new int[] {400, 401, 404, 405, 413, 415}) {
      router.errorHandler(status, ApiRouter::failed);
    }
    return router;
  }

  /**
   * Paths are matched with {@code .} and {@code ..} resolved and empty parts left out: a branch
   * called {@code ..}, or nothing at all, would be its database, and dropping it the end of that.
   */
  private static void refuseOddParts(RoutingContext request) {
    String path = request.request().path();
    if (path != null && DOTS.matcher(path).find()) {
      request.fail(
          new EbbException.Invalid("a part of the path is . or ..: nothing here is called so"));
    } else if (path != null && EMPTY.matcher(path).find()) {
      request.fail(
          new EbbException.Invalid(
              "a part of the path is empty: is the name of something missing?"));
    } else {
      request.next();
    }
  }

  private void bindBranches(RouterBuilder contract) {
    bind(contract, "listBranches", this::listBranches);
    bind(contract, "createBranch", this::createBranch);
    bind(contract, "getBranch", request -> branch(path(request, "name"), path(request, "branch")));
    bind(
        contract,
        "dropBranch",
        request ->
            branches
                .drop(path(request, "name"), path(request, "branch"), isForced(request))
                .map(dropped -> noContent(request)));
    bind(
        contract,
        "renameBranch",
        request ->
            branches
                .rename(path(request, "name"), path(request, "branch"), body(request))
                .compose(to -> branch(path(request, "name"), to)));
    bind(contract, "protectBranch", request -> protect(request, true));
    bind(contract, "unprotectBranch", request -> protect(request, false));
    bind(
        contract,
        "resetBranch",
        request ->
            branches.reset(path(request, "name"), path(request, "branch")).map(Json::replaced));
    bind(
        contract,
        "restoreBranch",
        request ->
            branches
                .restore(path(request, "name"), path(request, "branch"), body(request))
                .map(Json::replaced));
  }

  private void bindReplicas(RouterBuilder contract) {
    bind(
        contract,
        "listReplicas",
        request -> {
          String branch = path(request, "branch");
          return databases
              .get(path(request, "name"))
              .map(database -> Json.replicas(database, branch, fleet));
        });
    bind(
        contract,
        "addReplicas",
        request ->
            replicas
                .add(path(request, "name"), path(request, "branch"), body(request))
                .map(Json::changed));
    bind(
        contract,
        "removeReplicas",
        request ->
            replicas
                .remove(path(request, "name"), path(request, "branch"), count(request))
                .map(Json::changed));
  }

  private static int count(RoutingContext request) {
    String text = request.request().getParam("count");
    return text == null ? 1 : Integer.parseInt(text);
  }

  private Future<JsonObject> listBranches(RoutingContext request) {
    String name = path(request, "name");
    return databases
        .get(name)
        .compose(before -> branches.describe(name))
        .compose(described ->
            databases.get(name).map(database -> Json.branches(database, fleet, described)));
  }

  private Future<JsonObject> createBranch(RoutingContext request) {
    String database = path(request, "name");
    return branches
        .create(database, body(request))
        .compose(made -> {
          request
              .response()
              .setStatusCode(201)
              .putHeader("Location", "/v1/databases/" + database + "/branches/" + made);
          return branch(database, made);
        });
  }

  private Future<JsonObject> protect(RoutingContext request, boolean isProtected) {
    String database = path(request, "name");
    String name = path(request, "branch");
    return branches.protect(database, name, isProtected).compose(done -> branch(database, name));
  }

  private Future<JsonObject> branch(String database, String name) {
    return databases
        .get(database)
        .map(record -> Json.branch(record.tree(), name, record.tree().require(name), fleet));
  }

  private static boolean isForced(RoutingContext request) {
    return Boolean.parseBoolean(request.queryParams().get("force"));
  }

  private static @Nullable JsonObject body(RoutingContext request) {
    return request.body().asJsonObject();
  }

  private static JsonObject noContent(RoutingContext request) {
    request.response().setStatusCode(204);
    return new JsonObject();
  }

  /** Makes an operation of the contract answer with the JSON that {@code operation} gives. */
  private static void bind(
      RouterBuilder contract,
      String operationId,
      Function<RoutingContext, Future<JsonObject>> operation) {
    Handler<RoutingContext> handler =
        request ->
            operation.apply(request).onComplete(answer -> send(request, answer), request::fail);
    // The token was checked before the contract's router was reached.
    Objects.requireNonNull(contract.getRoute(operationId), operationId)
        .setDoSecurity(false)
        .addHandler(handler);
  }

  /** A parameter that the contract requires. */
  private static String path(RoutingContext request, String parameter) {
    return Objects.requireNonNull(request.pathParam(parameter), parameter);
  }

  private Future<JsonObject> listDatabases() {
    return databases
        .list()
        .map(all ->
            new JsonObject()
                .put(
                    "databases",
                    new JsonArray(
                        all.stream().map(database -> Json.database(database, fleet)).toList())));
  }

  private Future<JsonObject> database(String name) {
    return databases.get(name).map(database -> Json.database(database, fleet));
  }

  private Future<JsonObject> createDatabase(RoutingContext request) {
    JsonObject body = Objects.requireNonNull(request.body().asJsonObject(), "body");
    String name = body.getString("name");
    return databases
        .create(
            name,
            body.getString("owner"),
            new Secret(body.getString("password")),
            NewDatabase.postgres(body))
        .map(database -> {
          request.response().setStatusCode(201).putHeader("Location", "/v1/databases/" + name);
          return Json.database(database, fleet);
        });
  }

  private Future<JsonObject> allow(RoutingContext request) {
    JsonObject body = Objects.requireNonNull(request.body().asJsonObject(), "body");
    List<String> addresses = body.getJsonArray("addresses").stream().map(String::valueOf).toList();
    return databases
        .allow(path(request, "name"), addresses)
        .map(database -> Json.database(database, fleet));
  }

  private Future<JsonObject> openCheck(RoutingContext request) {
    JsonObject body = Objects.requireNonNull(request.body().asJsonObject(), "body");
    return checks
        .open(body.getString("database"))
        .map(opened -> {
          request.response().setStatusCode(201);
          return opened;
        });
  }

  private Future<JsonObject> closeCheck(RoutingContext request) {
    return checks
        .close(path(request, "check"))
        .map(closed -> {
          request.response().setStatusCode(204);
          return new JsonObject();
        });
  }

  private Future<JsonObject> dropDatabase(RoutingContext request) {
    return databases
        .drop(path(request, "name"), isForced(request))
        .map(dropped -> noContent(request));
  }

  /** A compute that has just started does not know yet how people call it; the catalog does. */
  private Future<JsonObject> computes() {
    boolean named =
        fleet.computes().stream().noneMatch(compute -> compute.status().databaseName().isEmpty())
            && fleet.replicas().stream()
                .noneMatch(replica -> replica.status().databaseName().isEmpty());
    return named
        ? Future.succeededFuture(Json.fleet(fleet, List.of()))
        : databases.list().map(all -> Json.fleet(fleet, all));
  }

  private void metrics(RoutingContext request) {
    end(request, "text/plain; version=0.0.4; charset=utf-8", Buffer.buffer(meters.scrape()));
  }

  static void send(RoutingContext request, JsonObject body) {
    if (request.response().getStatusCode() == 204) {
      request.end().onFailure(ApiRouter::gone);
    } else {
      end(request, "application/json", body.toBuffer());
    }
  }

  private static void end(RoutingContext request, String type, Buffer body) {
    request.response().putHeader(HttpHeaders.CONTENT_TYPE, type);
    request.end(body).onFailure(ApiRouter::gone);
  }

  private static void gone(Throwable error) {
    log.debug("the client is gone: {}", error.getMessage());
  }

  private static void failed(RoutingContext request) {
    Throwable error = request.failure();
    Problem problem =
        error == null || request.statusCode() == 413
            ? Problem.ofStatus(request.statusCode(), null)
            : Problem.of(error);
    if (problem.status() == 400 && isCreation(request)) {
      problem = NewDatabase.problem(request.body().buffer()).orElse(problem);
    }
    problem.send(request);
  }

  private static boolean isCreation(RoutingContext request) {
    return request.request().method().equals(HttpMethod.POST)
        && request.normalizedPath().equals("/v1/databases");
  }
}

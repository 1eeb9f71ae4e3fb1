package dev.ebb.launcher.up;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.ServerLocation;
import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.launcher.config.EbbConfig.Kafka;
import dev.ebb.launcher.up.RunningServices.Stop;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.WalToken;
import dev.ebb.shared.store.ObjectStore;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All services with the broker, the cluster and the object store they need, in this process. */
final class WholeServer {
  private static final Logger log = LoggerFactory.getLogger(WholeServer.class);
  private static final Duration LEAVE_BOUND = Duration.ofSeconds(10);

  private final EbbConfig config;
  private final DataDirectory directory;
  private final Progress progress;
  private final Secret token;
  private final Secret clusterSecret;
  private final Meters meters = new Meters();

  private volatile @Nullable ObjectStore store;
  private volatile @Nullable Broker broker;
  private volatile @Nullable Cluster cluster;
  private volatile @Nullable RunningServices services;

  WholeServer(EbbConfig config, DataDirectory directory, Progress progress) throws StartException {
    this.config = config;
    this.directory = directory;
    this.progress = progress;
    this.token = config.apiToken() == null ? directory.token() : config.apiToken();
    this.clusterSecret = ClusterSecret.read(config, directory);
  }

  /** Starts all, as much as possible side by side; what is started stays so where it fails. */
  void start() throws Exception {
    requireGatewayPorts(config.gateway());
    Ports.requireFree(config.api().host(), config.api().httpPort(), "HTTP", "--http-port");
    requireSenderPort(config);
    if (config.kafka() instanceof Kafka.Embedded embedded) {
      Ports.requireFree("127.0.0.1", embedded.port(), "Kafka", "kafka.embedded.port");
    }
    progress.say("starting in " + directory.path());
    Tasks.together(
        List.of(
            () -> store = progress.step("object store", () -> ObjectStores.open(config)),
            () -> broker = progress.step("broker", () -> Broker.start(config, directory.path())),
            () -> cluster = progress.step("cluster", () -> Cluster.join(config))));
    ClusterSecret.require(clusterSecret, Objects.requireNonNull(store), directory);

    directory.writeWalToken(WalToken.of(clusterSecret));
    Cluster joined = Objects.requireNonNull(cluster);
    var running = new RunningServices(joined.vertx());
    services = running;
    var factory =
        new ServiceFactory(
            new Foundation(
                config,
                directory.path(),
                clusterSecret,
                token,
                Objects.requireNonNull(store),
                joined,
                Objects.requireNonNull(broker),
                meters.registry()));
    Tasks.together(
        List.of(
            service("page", () -> running.start(Stop.PAGE, factory.page())),
            service("wal", () -> running.start(Stop.WAL, factory.wal()))));
    Tasks.together(
        List.of(
            service("compute", () -> running.start(Stop.COMPUTE, factory.compute())),
            service("gateway", () -> running.start(Stop.GATEWAY, factory.gateway())),
            service("api", () -> running.start(Stop.API, factory.api())),
            service("scaler", () -> running.start(Stop.SCALER, factory.scaler()))));
    location().write(directory.path());
  }

  static void requireGatewayPorts(EbbConfig.Gateway gateway) throws StartException {
    requireGatewayPort(gateway, gateway.port(), "--port");
    EbbConfig.Pool pool = gateway.pool();
    if (pool != null) {
      requireGatewayPort(gateway, pool.port(), "--pool-port");
    }
  }

  private static void requireGatewayPort(EbbConfig.Gateway gateway, int port, String flag)
      throws StartException {
    if (gateway.sharePort()) {
      Ports.requireFreeOrShared(gateway.host(), port, "PostgreSQL", flag);
    } else {
      Ports.requireFree(gateway.host(), port, "PostgreSQL", flag);
    }
  }

  static void requireSenderPort(EbbConfig config) throws StartException {
    EbbConfig.Sender sender = config.wal().sender();
    Integer port = sender == null ? null : sender.port();
    if (sender != null && port != null) {
      Ports.requireFree(sender.host(), port, "WAL sender", "wal.sender.port");
    }
  }

  private interface Step {
    void run() throws StartException;
  }

  private Callable<?> service(String name, Step step) {
    return () ->
        progress.step(
            name,
            () -> {
              step.run();
              return name;
            });
  }

  private ServerLocation location() {
    return new ServerLocation(
        "http://" + reachable(config.api().host()) + ":" + config.api().httpPort(),
        reachable(config.gateway().host()),
        config.gateway().port(),
        ProcessHandle.current().pid(),
        embeddedKafka());
  }

  private @Nullable String embeddedKafka() {
    Broker started = broker;
    return started == null || started.embedded() == null
        ? null
        : started.address().bootstrapServers();
  }

  /** An address that a client on this machine can use. */
  private static String reachable(String host) {
    return "0.0.0.0".equals(host) || "::".equals(host) ? "127.0.0.1" : host;
  }

  private int poolPort() {
    EbbConfig.Pool pool = config.gateway().pool();
    return pool == null ? 0 : pool.port();
  }

  /** Makes the first database where there has been none. */
  Greeting greet(@Nullable String password) throws StartException {
    ServerLocation location = location();
    try {
      var api = new ApiClient(location.url(), token.reveal());
      FirstDatabase first = FirstDatabase.ensure(api, directory, password);
      if (password != null && first.password() == null) {
        progress.say(
            "note: --password sets the first database's password, at the first start only; it is"
                + " left as it is");
      }
      return new Greeting(
          location.gatewayHost(),
          location.gatewayPort(),
          poolPort(),
          first.login(),
          first.password(),
          location.url(),
          directory.path());
    } catch (ApiException e) {
      throw new StartException("the first database was not made: " + e.getMessage(), e);
    }
  }

  /** As {@link RunningServices#drain}. */
  void drain(@Nullable Duration atMost) {
    RunningServices running = services;
    if (running != null) {
      running.drain(atMost);
    }
  }

  /** Stops what has been started, in order; never throws. */
  void stop() {
    try {
      ServerLocation.delete(directory.path());
    } catch (IOException e) {
      log.warn("endpoint.json stays behind: {}", e.toString());
    }
    if (services != null) {
      services.stop();
    }
    if (cluster != null) {
      cluster.leave(LEAVE_BOUND);
    }
    if (broker != null) {
      broker.close();
    }
    if (store != null) {
      store.close();
    }
    meters.close();
  }
}

package dev.ebb.launcher.up;

import dev.ebb.launcher.client.ServerLocation;
import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.launcher.config.EbbConfig.Kafka;
import dev.ebb.launcher.up.RunningServices.Stop;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.scram.WalToken;
import dev.ebb.shared.store.ObjectStore;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** {@code ebb run}: one service in this process, from the start to a signal. */
public final class ServiceProcess {
  private static final Logger log = LoggerFactory.getLogger(ServiceProcess.class);
  private static final Duration LEAVE_BOUND = Duration.ofSeconds(10);

  private ServiceProcess() {}

  /** Starts, says so, waits for a signal, stops. */
  public static void run(ServiceName service, EbbConfig config, PrintWriter out) throws Exception {
    if (!(config.kafka() instanceof Kafka.Cluster kafka)) {
      throw new StartException(
          "kafka.bootstrapServers is missing: \"ebb run\" needs a Kafka (\"ebb up\" has its own)");
    }
    var signals = StopSignals.listen();
    try (var directory = DataDirectory.open(config.dataDir(), "run-" + service + ".lock");
        var meters = new Meters();
        ObjectStore store = ObjectStores.open(config)) {
      LogFile.start(directory.logDirectory(), "ebb-" + service);
      requirePorts(service, config);
      Secret clusterSecret = ClusterSecret.read(config, directory);
      if (service == ServiceName.COMPUTE) {
        // The others have no use for it, and a data directory of their own may have another.
        ClusterSecret.require(clusterSecret, store, directory);
      }
      Secret token = config.apiToken() == null ? directory.token() : config.apiToken();
      Cluster cluster = Cluster.join(config);
      var services = new RunningServices(cluster.vertx());
      var foundation =
          new Foundation(
              config,
              directory.path(),
              clusterSecret,
              token,
              store,
              cluster,
              new Broker(kafka, null),
              meters.registry());
      try {
        if (service == ServiceName.WAL) {
          directory.writeWalToken(WalToken.of(clusterSecret));
        }
        serve(service, foundation, cluster, services);
        out.println("ebb " + service + " is up");
        out.flush();
        log.info("{} is up", service);
        signals.await();
        services.drain(null);
      } finally {
        services.stop();
        cluster.leave(LEAVE_BOUND);
      }
    }
  }

  private static void requirePorts(ServiceName service, EbbConfig config) throws StartException {
    Ports.requireFree(
        config.service().host(), config.service().httpPort(), "/metrics", "service.httpPort");
    if (service == ServiceName.WAL) {
      WholeServer.requireSenderPort(config);
    }
    if (service == ServiceName.GATEWAY) {
      WholeServer.requireGatewayPorts(config.gateway());
      Ports.requireFree(config.api().host(), config.api().httpPort(), "HTTP", "--http-port");
    }
  }

  private static void serve(
      ServiceName service, Foundation foundation, Cluster cluster, RunningServices services)
      throws Exception {
    var serving = new AtomicBoolean();
    EbbConfig config = foundation.config();
    if (config.service().httpPort() != 0) {
      services.start(
          Stop.PAGE,
          new HealthEndpoint(
              config.service().host(),
              config.service().httpPort(),
              foundation.meters(),
              () -> serving.get() && cluster.isSafe()));
    }
    var factory = new ServiceFactory(foundation);
    switch (service) {
      case GATEWAY -> {
        services.start(Stop.GATEWAY, factory.gateway());
        services.start(Stop.API, factory.api());
        new ServerLocation(
                "http://" + config.api().host() + ":" + config.api().httpPort(),
                config.gateway().host(),
                config.gateway().port(),
                ProcessHandle.current().pid())
            .write(foundation.directory());
      }
      case COMPUTE -> services.start(Stop.COMPUTE, factory.compute());
      case PAGE -> services.start(Stop.PAGE, factory.page());
      case WAL -> services.start(Stop.WAL, factory.wal());
      case SCALER -> services.start(Stop.SCALER, factory.scaler());
    }
    serving.set(true);
  }
}

package dev.ebb.gateway.api;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.catalog.Catalog;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.store.ObjectStore;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.MessageConsumer;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import java.time.Clock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The HTTP API. Asks the catalog itself and the computes' hosts over the bus. */
public final class ApiService extends VerticleBase {
  private static final Logger log = LoggerFactory.getLogger(ApiService.class);
  private static final int IDLE_TIMEOUT_SECONDS = 600;

  private final ObjectStore store;
  private final ApiConfig config;
  private final PrometheusMeterRegistry meters;
  private volatile int port;
  private @Nullable OffLoop offLoop;
  private @Nullable MessageConsumer<BusMessage> announcements;

  /** The store is read for the catalog only. */
  public ApiService(ObjectStore store, ApiConfig config, PrometheusMeterRegistry meters) {
    this.store = store;
    this.config = config;
    this.meters = meters;
  }

  /** The port that it listens on, once started. */
  public int port() {
    return port;
  }

  @Override
  public Future<?> start() {
    var bus = new Bus(vertx);
    var fleet = new FleetView(Clock.systemUTC());
    announcements =
        bus.subscribe(
            Addresses.HOSTS,
            message -> {
              switch (message) {
                case HostAnnouncement announcement -> fleet.accept(announcement);
                case ReplicaAnnouncement announcement -> fleet.accept(announcement);
                default -> {}
              }
            });
    var threads = new OffLoop(vertx);
    offLoop = threads;
    var databases = new Databases(new Catalog(store), bus, threads);
    var checks = new StorageChecks(databases, bus);
    return new ApiRouter(
            vertx,
            databases,
            new Branches(bus, Clock.systemUTC()),
            new ReplicaRequests(bus),
            checks,
            fleet,
            config,
            meters)
        .create()
        .compose(router ->
            vertx
                .createHttpServer(new HttpServerOptions().setIdleTimeout(IDLE_TIMEOUT_SECONDS))
                .requestHandler(router)
                .listen(config.port(), config.host())
                .recover(error -> Future.failedFuture(cannotListen(error))))
        .onSuccess(this::listening);
  }

  private void listening(HttpServer server) {
    port = server.actualPort();
    log.info("the API answers on http://{}:{}", config.host(), port);
  }

  private IllegalStateException cannotListen(Throwable error) {
    return new IllegalStateException(
        "cannot listen on "
            + config.host()
            + ":"
            + config.port()
            + " for HTTP ("
            + error.getMessage()
            + "): choose another port with --http-port",
        error);
  }

  @Override
  public Future<?> stop() {
    if (offLoop != null) {
      offLoop.close();
    }
    return announcements == null ? Future.succeededFuture() : announcements.unregister();
  }
}

package dev.ebb.launcher.up;

import dev.ebb.gateway.GatewayService;
import io.vertx.core.Deployable;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The services deployed so far. They may be started from several threads at once; they are stopped
 * one after the other, in the order of {@link Stop}.
 */
final class RunningServices {
  private static final Logger log = LoggerFactory.getLogger(RunningServices.class);
  private static final Duration START_BOUND = Duration.ofMinutes(2);

  /** The gateway has a bound of its own, which is configured. */
  private static final Duration DRAIN_BOUND = Duration.ofHours(1);

  private final Vertx vertx;
  private final List<Running> running = new ArrayList<>();
  private final List<GatewayService> draining = new ArrayList<>();

  /** When a service is stopped: clients first, then computes, then what those need. */
  enum Stop {
    GATEWAY(5),
    SCALER(5),
    API(5),
    COMPUTE(60),
    WAL(15),
    PAGE(15);

    private final Duration bound;

    Stop(int boundSeconds) {
      this.bound = Duration.ofSeconds(boundSeconds);
    }
  }

  private record Running(Stop stop, String deployment) {}

  RunningServices(Vertx vertx) {
    this.vertx = vertx;
  }

  /** Deploys a service and waits until it serves. */
  void start(Stop stop, Deployable service) throws StartException {
    try {
      String deployment = Futures.await(vertx.deployVerticle(service), START_BOUND);
      synchronized (running) {
        running.add(new Running(stop, deployment));
        if (service instanceof GatewayService gateway) {
          draining.add(gateway);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new StartException("interrupted", e);
    } catch (Exception e) { // whatever the service failed with
      log.info("the {} service failed to start", stop, e);
      String message = e.getMessage() == null ? e.toString() : e.getMessage();
      throw new StartException("the " + nameOf(stop) + " service does not start: " + message, e);
    }
  }

  /**
   * Has the gateway end its clients' sessions between two transactions, for as long as it is
   * configured to wait. Where there is none nothing happens.
   *
   * @param atMost null: as configured
   */
  void drain(@Nullable Duration atMost) {
    List<GatewayService> gateways;
    synchronized (running) {
      gateways = List.copyOf(draining);
    }
    for (GatewayService gateway : gateways) {
      try {
        Futures.await(
            atMost == null ? gateway.drain() : gateway.drain(atMost.toMillis()), DRAIN_BOUND);
      } catch (Exception e) { // what comes next ends all sessions
        log.warn("the gateway was not drained: {}", e.toString());
      }
    }
  }

  /** Stops all, each within its bound; what does not stop is told in the log. */
  void stop() {
    List<Running> inOrder;
    synchronized (running) {
      inOrder = new ArrayList<>(running);
      running.clear();
    }
    inOrder.sort(Comparator.comparing(Running::stop));
    for (Running service : inOrder) {
      try {
        Futures.await(vertx.undeploy(service.deployment()), service.stop().bound);
      } catch (Exception e) { // the rest must be stopped whatever this one did
        log.warn("the {} service did not stop cleanly: {}", nameOf(service.stop()), e.toString());
      }
    }
  }

  private static String nameOf(Stop stop) {
    return stop.name().toLowerCase(Locale.ROOT);
  }
}

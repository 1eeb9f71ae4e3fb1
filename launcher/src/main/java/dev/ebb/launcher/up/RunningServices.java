package dev.ebb.launcher.up;

import io.vertx.core.Deployable;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The services deployed so far. They may be started from several threads at once; they are stopped
 * one after the other, in the order of {@link Stop}.
 */
final class RunningServices {
  private static final Logger log = LoggerFactory.getLogger(RunningServices.class);
  private static final Duration START_BOUND = Duration.ofMinutes(2);

  private final Vertx vertx;
  private final List<Running> running = new ArrayList<>();

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

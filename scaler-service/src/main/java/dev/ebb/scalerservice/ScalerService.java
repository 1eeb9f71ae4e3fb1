package dev.ebb.scalerservice;

import dev.ebb.scalerservice.Suspends.Result;
import dev.ebb.scalerservice.decide.Decider;
import dev.ebb.scalerservice.decide.Decision;
import dev.ebb.scalerservice.decide.FleetWindow;
import dev.ebb.scalerservice.decide.SuspendPolicy;
import dev.ebb.scalerservice.decide.View;
import dev.ebb.scalerservice.event.EventLog;
import dev.ebb.scalerservice.event.KafkaEventLog;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.ReplicaAnnouncement;
import dev.ebb.shared.bus.ScalerMessage.Outcome;
import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.eventbus.MessageConsumer;
import java.time.InstantSource;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The scaler: listens to hosts, decides once a tick, carries decisions out and says so. Of several
 * only one acts ({@link Lease}); the others keep listening, so that they can take over. It holds no
 * truth: what it forgets at its end is announced again within a second.
 */
public final class ScalerService extends VerticleBase {
  private static final Logger log = LoggerFactory.getLogger(ScalerService.class);

  private final ScalerConfig config;
  private final SuspendPolicy policy;
  private final MeterRegistry meters;
  private final Supplier<EventLog> openEvents;
  private final InstantSource clock;
  private final LongSupplier monotonicMs;
  private final FleetWindow fleet = new FleetWindow();

  private @Nullable Running running;
  private boolean ticking;
  private boolean leaseFailing;
  private volatile boolean active;
  private volatile int hosts;
  private volatile int computes;

  /** What exists between start and stop. */
  private record Running(
      Bus bus,
      Lease lease,
      Suspends suspends,
      EventLog events,
      MessageConsumer<BusMessage> announcements,
      long timer) {}

  public ScalerService(ScalerConfig config, MeterRegistry meters) {
    this(
        config,
        meters,
        () -> new KafkaEventLog(config.kafka(), config.replicationFactor(), meters),
        InstantSource.system(),
        () -> TimeUnit.NANOSECONDS.toMillis(System.nanoTime()));
  }

  /**
   * With clocks and log of the caller's choice.
   *
   * @param clock for the events
   * @param monotonicMs for everything that expires
   */
  ScalerService(
      ScalerConfig config,
      MeterRegistry meters,
      Supplier<EventLog> openEvents,
      InstantSource clock,
      LongSupplier monotonicMs) {
    this.config = config;
    this.policy = config.policy();
    this.meters = meters;
    this.openEvents = openEvents;
    this.clock = clock;
    this.monotonicMs = monotonicMs;
  }

  @Override
  public Future<?> start() {
    gauge("ebb.scaler.active", "1 where this scaler acts, 0 where another one does")
        .accept(() -> active ? 1 : 0);
    gauge("ebb.scaler.hosts", "Hosts that announced themselves lately").accept(() -> hosts);
    gauge("ebb.scaler.computes", "Computes that their hosts announced lately")
        .accept(() -> computes);
    var bus = new Bus(vertx);
    var announcements = bus.subscribe(Addresses.HOSTS, this::hear);
    long timer = vertx.setPeriodic(config.tick().toMillis(), id -> tick());
    running =
        new Running(
            bus,
            new Lease(vertx),
            new Suspends(bus, monotonicMs),
            openEvents.get(),
            announcements,
            timer);
    return announcements.completion();
  }

  @Override
  public Future<?> stop() {
    Running was = running;
    running = null;
    active = false;
    if (was == null) {
      return Future.succeededFuture();
    }
    vertx.cancelTimer(was.timer());
    // A cluster that has ended already is no reason to end badly.
    return was.announcements()
        .unregister()
        .otherwiseEmpty()
        .eventually(() -> was.lease().release().otherwiseEmpty())
        .eventually(() ->
            vertx.executeBlocking(() -> {
              was.events().close();
              return true;
            }));
  }

  private java.util.function.Consumer<Supplier<Number>> gauge(String name, String description) {
    return value -> Gauge.builder(name, value).description(description).register(meters);
  }

  private void hear(BusMessage message) {
    if (message instanceof HostAnnouncement announcement) {
      fleet.hear(announcement, monotonicMs.getAsLong());
    } else if (!(message instanceof ReplicaAnnouncement)) { // those stay until they are removed
      log.warn("not a host announcement: {}", message.getClass().getSimpleName());
    }
  }

  private void tick() {
    Running now = running;
    if (now == null || ticking) {
      return;
    }
    ticking = true;
    now.lease()
        .hold()
        .onComplete((holds, error) -> {
          ticking = false;
          if (error != null) {
            leaseFailed(error);
          } else {
            leaseFailing = false;
            act(holds);
          }
        });
  }

  private void leaseFailed(Throwable error) {
    active = false;
    if (!leaseFailing) {
      log.warn("cannot tell which scaler acts, so that nothing is suspended: {}", error.toString());
    }
    leaseFailing = true;
  }

  private void act(boolean holdsLease) {
    Running now = running;
    if (now == null) {
      return;
    }
    if (active != holdsLease) {
      log.info(holdsLease ? "this scaler acts" : "another scaler acts");
    }
    active = holdsLease;
    long nowMs = monotonicMs.getAsLong();
    var suspends = now.suspends();
    var view = new View(fleet.computes(nowMs), suspends.heldUntilMs(), suspends.inFlight());
    hosts = fleet.hosts();
    computes = view.computes().size();
    if (active) {
      Decider.decide(view, policy, nowMs).forEach(decision -> carryOut(now, decision));
    }
  }

  private void carryOut(Running now, Decision decision) {
    String id = UUID.randomUUID().toString();
    log.info("suspending {}: {}", decision.branch(), decision.reason());
    say(now, id, decision, new Result(Outcome.DECIDED, decision.reason()));
    var timing = Timer.start();
    now.suspends()
        .suspend(decision)
        .onSuccess(result -> {
          timing.stop(
              Timer.builder("ebb.scaler.suspend")
                  .description("From the decision to the compute's answer")
                  .tag("outcome", tag(result.outcome()))
                  .register(meters));
          if (result.outcome() == Outcome.FAILED) {
            log.warn("suspending {} failed: {}", decision.branch(), result.words());
          }
          say(now, id, decision, result);
        });
  }

  private void say(Running now, String id, Decision decision, Result result) {
    Counter.builder("ebb.scaler.events")
        .description("Scale events by action and outcome")
        .tag("action", decision.action().name().toLowerCase(Locale.ROOT))
        .tag("outcome", tag(result.outcome()))
        .register(meters)
        .increment();
    var event =
        new ScaleEvent(
            id + "/" + tag(result.outcome()),
            clock.millis(),
            decision.branch(),
            decision.action(),
            result.words(),
            decision.inputs(),
            result.outcome());
    now.bus().publish(Addresses.SCALE_EVENTS, event);
    now.events().append(event);
  }

  private static String tag(Outcome outcome) {
    return outcome.name().toLowerCase(Locale.ROOT);
  }
}

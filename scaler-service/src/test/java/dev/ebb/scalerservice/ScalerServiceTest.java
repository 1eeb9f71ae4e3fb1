package dev.ebb.scalerservice;

import static dev.ebb.scalerservice.decide.Computes.idle;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.scalerservice.decide.Computes;
import dev.ebb.scalerservice.event.EventLog;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.BusMessage;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.SuspendBranch;
import dev.ebb.shared.bus.ComputeMessage.Suspended;
import dev.ebb.shared.bus.ScalerMessage.Outcome;
import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
final class ScalerServiceTest {
  private static final BranchId BRANCH = new BranchId("b1");
  private static final Duration DEADLINE = Duration.ofSeconds(10);

  private final Vertx vertx = Vertx.vertx();
  private final Bus bus = new Bus(vertx);
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
  private final AtomicLong nowMs = new AtomicLong(1_000_000);
  private final List<ScaleEvent> logged = new CopyOnWriteArrayList<>();
  private final List<ScaleEvent> published = new CopyOnWriteArrayList<>();
  private final List<SuspendBranch> asked = new CopyOnWriteArrayList<>();
  private volatile Function<SuspendBranch, Future<Suspended>> compute =
      request -> Future.succeededFuture(new Suspended(true, new Lsn(0x2000028), 1_500));

  @BeforeEach
  void startFakeCompute() throws Exception {
    bus.subscribe(Addresses.SCALE_EVENTS, message -> published.add((ScaleEvent) message));
    await(bus.answer(Addresses.COMPUTE, this::answer).completion());
  }

  private Future<? extends BusMessage> answer(BusMessage message) {
    var request = (SuspendBranch) message;
    asked.add(request);
    return compute.apply(request);
  }

  @AfterEach
  void close() throws Exception {
    await(vertx.close());
  }

  @Test
  void idleComputeIsSuspendedAndEachStepIsAnEvent() throws Exception {
    deploy();

    announce(idle("b1"));

    awaitUntil(() -> logged.size() == 2 && published.size() == 2);
    assertThat(asked).containsExactly(new SuspendBranch(BRANCH, 300_000));
    assertThat(logged).isEqualTo(published);
    assertThat(logged)
        .extracting(ScaleEvent::outcome)
        .containsExactly(Outcome.DECIDED, Outcome.DONE);
    assertThat(logged.get(0).reason()).contains("was not used for 600.0 s");
    assertThat(logged.get(1).reason()).isEqualTo("suspended at 0/2000028, captured in 1500 µs");
    assertThat(logged.get(1).inputs()).isEqualTo(logged.get(0).inputs()).contains("host h1");
    assertThat(logged.get(0).id()).isNotEqualTo(logged.get(1).id());
    assertThat(logged.get(0).epochMs()).isEqualTo(nowMs.get());
  }

  @Test
  void computeThatWasUsedInBetweenRefusesAndIsAskedAgainLater() throws Exception {
    compute = request -> Future.failedFuture(new EbbException.Conflict("a statement runs"));
    deploy();

    announce(idle("b1"));
    awaitUntil(() -> logged.size() == 2);
    assertThat(logged.get(1).outcome()).isEqualTo(Outcome.REFUSED);
    assertThat(logged.get(1).reason()).isEqualTo("a statement runs");

    announce(idle("b1"));
    awaitTicks(5);
    assertThat(asked).hasSize(1);

    nowMs.addAndGet(Suspends.PAUSE_AFTER_REFUSED_MS);
    announce(idle("b1"));
    awaitUntil(() -> asked.size() == 2);
  }

  @Test
  void failureIsAnEventAndTheScalerLivesOn() throws Exception {
    compute = request -> Future.failedFuture(new EbbException.Unavailable("Kafka is away"));
    deploy();

    announce(idle("b1"));
    awaitUntil(() -> logged.size() == 2);
    assertThat(logged.get(1).outcome()).isEqualTo(Outcome.FAILED);
    assertThat(logged.get(1).reason()).isEqualTo("Kafka is away");

    compute = request -> Future.succeededFuture(new Suspended(false, Lsn.INVALID, 0));
    nowMs.addAndGet(Suspends.PAUSE_AFTER_FAILED_MS);
    announce(idle("b1"));
    awaitUntil(() -> logged.size() == 4);
    assertThat(logged.get(3).outcome()).isEqualTo(Outcome.DONE);
    assertThat(logged.get(3).reason()).isEqualTo("it was not running any more");
  }

  @Test
  void repeatedAnnouncementsWhileASuspendIsInFlightAskOnce() throws Exception {
    Promise<Suspended> answer = Promise.promise();
    compute = request -> answer.future();
    deploy();

    for (int i = 0; i < 5; i++) {
      announce(idle("b1"));
      awaitTicks(2);
      nowMs.addAndGet(60_000);
    }
    assertThat(asked).hasSize(1);

    answer.complete(new Suspended(true, new Lsn(1), 1));
    awaitUntil(() -> logged.size() == 2);
    // Late: sent before the suspend was done.
    announce(idle("b1"));
    awaitTicks(5);
    assertThat(asked).hasSize(1);
  }

  @Test
  void hostThatFellSilentIsForgotten() throws Exception {
    deploy();
    announce(idle("b1").idleFor(0));
    awaitUntil(() -> gauge("ebb.scaler.computes") == 1);

    nowMs.addAndGet(3_000);

    awaitUntil(() -> gauge("ebb.scaler.computes") == 0 && gauge("ebb.scaler.hosts") == 0);
    assertThat(asked).isEmpty();
  }

  @Test
  void ofTwoScalersOneActs() throws Exception {
    Promise<Suspended> answer = Promise.promise();
    compute = request -> answer.future();
    String first = deploy();
    awaitUntil(() -> gauge("ebb.scaler.active") == 1);
    var others = new SimpleMeterRegistry();
    deploy(others);

    announce(idle("b1"));
    awaitUntil(() -> asked.size() == 1);
    awaitTicks(5);
    assertThat(asked).hasSize(1);
    assertThat(others.get("ebb.scaler.active").gauge().value()).isZero();

    await(vertx.undeploy(first));
    awaitUntil(() -> others.get("ebb.scaler.active").gauge().value() == 1);
    awaitUntil(() -> asked.size() == 2);
  }

  private String deploy() throws Exception {
    return deploy(meters);
  }

  private String deploy(SimpleMeterRegistry registry) throws Exception {
    var config =
        new ScalerConfig(
            Duration.ofMinutes(5),
            Map.of(),
            Duration.ofMillis(5),
            Map.of("bootstrap.servers", "127.0.0.1:1"),
            1);
    InstantSource clock = () -> java.time.Instant.ofEpochMilli(nowMs.get());
    return await(
        vertx.deployVerticle(
            new ScalerService(config, registry, () -> new Recorded(logged), clock, nowMs::get)));
  }

  private void announce(Computes computes) {
    bus.publish(
        Addresses.HOSTS,
        new HostAnnouncement(
            new HostId("h1"), "127.0.0.1", 1, 2, false, List.of(computes.status())));
  }

  private double gauge(String name) {
    return meters.get(name).gauge().value();
  }

  private record Recorded(List<ScaleEvent> events) implements EventLog {
    @Override
    public void append(ScaleEvent event) {
      events.add(event);
    }

    @Override
    public void close() {}
  }

  /** Long enough for so many ticks of 5 ms on the event loop that this very timer runs on. */
  private void awaitTicks(int ticks) throws Exception {
    Promise<Void> passed = Promise.promise();
    vertx.setTimer(5L * ticks, id -> passed.complete());
    await(passed.future());
  }

  private static <T> T await(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(10, TimeUnit.SECONDS);
  }

  private static void awaitUntil(BooleanSupplier condition) {
    long endNanos = System.nanoTime() + DEADLINE.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the condition did not come true").isLessThan(endNanos);
      LockSupport.parkNanos(1_000_000);
    }
  }
}

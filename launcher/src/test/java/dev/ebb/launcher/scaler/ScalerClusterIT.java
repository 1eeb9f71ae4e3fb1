package dev.ebb.launcher.scaler;

import static org.assertj.core.api.Assertions.assertThat;

import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import dev.ebb.scalerservice.ScalerConfig;
import dev.ebb.scalerservice.ScalerService;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.SuspendBranch;
import dev.ebb.shared.bus.ComputeMessage.Suspended;
import dev.ebb.shared.bus.ScalerMessage.Outcome;
import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.EventBusOptions;
import io.vertx.spi.cluster.hazelcast.HazelcastClusterManager;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two members of a cluster, a scaler on each, a fake compute on the first. Kafka is away. */
@Timeout(120)
final class ScalerClusterIT {
  private static final Duration DEADLINE = Duration.ofSeconds(40);
  private static final Duration IDLE = Duration.ofMinutes(5);

  private final List<Member> members = new ArrayList<>();
  private final List<SuspendBranch> asked = new CopyOnWriteArrayList<>();
  private final List<ScaleEvent> events = new CopyOnWriteArrayList<>();

  private record Member(HazelcastInstance hazelcast, Vertx vertx, SimpleMeterRegistry meters) {
    boolean acts() {
      return meters.get("ebb.scaler.active").gauge().value() == 1;
    }
  }

  @AfterEach
  void leave() throws Exception {
    for (Member member : members) {
      if (member.hazelcast().getLifecycleService().isRunning()) {
        await(member.vertx().close());
        member.hazelcast().shutdown();
      }
    }
  }

  @Test
  void oneOfTwoScalersActsAndTheOtherTakesOverAfterItsDeath() throws Exception {
    Member first = join(List.of());
    var bus = new Bus(first.vertx());
    await(
        bus.answer(
                Addresses.COMPUTE,
                message -> {
                  asked.add((SuspendBranch) message);
                  return Future.succeededFuture(new Suspended(true, new Lsn(0x2000028), 900));
                })
            .completion());
    Member second = join(List.of(address(first)));
    bus.subscribe(Addresses.SCALE_EVENTS, message -> events.add((ScaleEvent) message));
    // The one that is to die is not the one with the compute.
    await(second.vertx().deployVerticle(scaler(second)));
    awaitUntil(second::acts);
    await(first.vertx().deployVerticle(scaler(first)));

    announceUntil(bus, () -> asked.size() == 1 && events.size() == 2);

    assertThat(asked).containsExactly(new SuspendBranch(new BranchId("b1"), IDLE.toMillis()));
    assertThat(events)
        .extracting(ScaleEvent::outcome)
        .containsExactly(Outcome.DECIDED, Outcome.DONE);
    assertThat(first.acts()).isFalse();

    // As in a crash: nothing is said to anybody.
    second.hazelcast().getLifecycleService().terminate();
    await(second.vertx().close().otherwiseEmpty());
    announceUntil(bus, () -> asked.size() >= 2);

    assertThat(first.acts()).isTrue();
  }

  private static ScalerService scaler(Member member) {
    return new ScalerService(ScalerConfig.of("127.0.0.1:1", IDLE), member.meters());
  }

  private void announceUntil(Bus bus, BooleanSupplier condition) {
    var compute =
        new ComputeStatus(
            new BranchId("b1"),
            new DatabaseId("d1"),
            "shop",
            "main",
            new Generation(1),
            ComputeStatus.State.RUNNING,
            5432,
            4711,
            IDLE.toMillis() * 2,
            IDLE.toMillis(),
            0,
            0,
            0,
            0,
            1,
            1,
            1,
            1,
            new Lsn(1),
            new Lsn(1));
    awaitUntil(() -> {
      bus.publish(
          Addresses.HOSTS,
          new HostAnnouncement(new HostId("h1"), "127.0.0.1", 1, 2, false, List.of(compute)));
      return condition.getAsBoolean();
    });
  }

  private Member join(List<String> others) throws Exception {
    var config = new Config();
    config.setClusterName("scaler-cluster-it");
    // What Vert.x expects of a Hazelcast that it has not made.
    config.getMemberAttributeConfig().setAttribute("__vertx.nodeId", UUID.randomUUID().toString());
    config
        .setProperty("hazelcast.shutdownhook.enabled", "false")
        .setProperty("hazelcast.phone.home.enabled", "false")
        .setProperty("hazelcast.logging.type", "slf4j")
        .setProperty("hazelcast.socket.bind.any", "false")
        .setProperty("hazelcast.wait.seconds.before.join", "1");
    var network = config.getNetworkConfig();
    network.setPort(0).setPortAutoIncrement(false);
    network.getInterfaces().setEnabled(true).addInterface("127.0.0.1");
    network.getJoin().getMulticastConfig().setEnabled(false);
    network.getJoin().getAutoDetectionConfig().setEnabled(false);
    network.getJoin().getTcpIpConfig().setEnabled(true).setMembers(others);
    HazelcastInstance hazelcast = Hazelcast.newHazelcastInstance(config);
    Vertx vertx =
        await(
            Vertx.builder()
                .with(
                    new VertxOptions()
                        .setEventBusOptions(new EventBusOptions().setHost("127.0.0.1")))
                .withClusterManager(new HazelcastClusterManager(hazelcast))
                .buildClustered());
    var member = new Member(hazelcast, vertx, new SimpleMeterRegistry());
    members.add(member);
    return member;
  }

  private static String address(Member member) {
    var address = member.hazelcast().getCluster().getLocalMember().getAddress();
    return address.getHost() + ":" + address.getPort();
  }

  private static <T> T await(Future<T> future) throws Exception {
    return future.toCompletionStage().toCompletableFuture().get(60, TimeUnit.SECONDS);
  }

  private static void awaitUntil(BooleanSupplier condition) {
    long endNanos = System.nanoTime() + DEADLINE.toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).as("the condition did not come true").isLessThan(endNanos);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
    }
  }
}

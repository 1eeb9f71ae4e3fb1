package dev.ebb.computeservice.placement;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage.DescribeHosts;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.bus.ComputeMessage.HostsDescribed;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.HostId;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
final class IntroductionTest {
  private static final HostAnnouncement OTHER =
      new HostAnnouncement(new HostId("other"), "127.0.0.1", 3, 4, false, List.of());

  private final Vertx vertx = Vertx.vertx();
  private final Bus bus = new Bus(vertx);
  private final FleetView fleet = new FleetView(Clock.systemUTC());

  private void learn(long patienceMs) {
    new Introduction(new BlockingBus(bus), fleet, patienceMs).learn();
  }

  @AfterEach
  void close() {
    BlockingBus.await(vertx.close(), 10_000);
  }

  @Test
  void firstHostOfAllDoesNotWait() {
    learn(Long.MAX_VALUE / 1_000_000 / 2);
    assertThat(fleet.hosts()).isEmpty();
  }

  @Test
  void newHostKnowsWhatOneOfTheOthersKnows() {
    bus.answer(
        Addresses.COMPUTE,
        message -> {
          assertThat(message).isEqualTo(new DescribeHosts());
          return Future.succeededFuture(new HostsDescribed(List.of(OTHER)));
        });
    learn(10_000);
    assertThat(fleet.hosts()).containsExactly(OTHER);
  }

  @Test
  void hostThatIsSilentIsNotTheLastThatIsAsked() {
    var asked = new AtomicInteger();
    Promise<HostsDescribed> never = Promise.promise();
    bus.answer(
        Addresses.COMPUTE,
        message ->
            asked.incrementAndGet() == 1
                ? never.future()
                : Future.succeededFuture(new HostsDescribed(List.of(OTHER))));
    learn(10_000);
    assertThat(fleet.hosts()).containsExactly(OTHER);
  }

  @Test
  void silenceOfAllEndsTheWaiting() {
    Promise<HostsDescribed> never = Promise.promise();
    bus.answer(Addresses.COMPUTE, message -> never.future());
    learn(100);
    assertThat(fleet.hosts()).isEmpty();
  }
}

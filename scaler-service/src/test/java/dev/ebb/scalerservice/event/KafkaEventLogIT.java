package dev.ebb.scalerservice.event;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.bus.ScalerMessage.Action;
import dev.ebb.shared.bus.ScalerMessage.Outcome;
import dev.ebb.shared.bus.ScalerMessage.ScaleEvent;
import dev.ebb.shared.model.BranchId;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Without a broker; with one: {@code ScaleEventsIT} of the launcher. */
final class KafkaEventLogIT {
  private static final int TOO_MANY = 10;

  @Test
  @Timeout(60)
  void kafkaThatIsAwayNeverBlocksAndDropsAreCounted() throws Exception {
    var meters = new SimpleMeterRegistry();
    try (var nobody = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      // Accepts connections into its backlog and never answers: worse than a refusal.
      var bootstrap = Map.of("bootstrap.servers", "127.0.0.1:" + nobody.getLocalPort());
      var log = new KafkaEventLog(bootstrap, 1, meters);
      long beginNanos = System.nanoTime();
      // One more may be in the thread's hands.
      for (int i = 0; i < KafkaEventLog.QUEUE_CAPACITY + 1 + TOO_MANY; i++) {
        log.append(event(i));
      }
      assertThat(Duration.ofNanos(System.nanoTime() - beginNanos))
          .isLessThan(Duration.ofSeconds(1));
      assertThat(dropped(meters)).isBetween((double) TOO_MANY, TOO_MANY + 1.0);

      log.close();

      assertThat(dropped(meters)).isEqualTo(KafkaEventLog.QUEUE_CAPACITY + 1.0 + TOO_MANY);
    }
  }

  private static double dropped(SimpleMeterRegistry meters) {
    return meters.get("ebb.scaler.events.dropped").counter().count();
  }

  private static ScaleEvent event(int i) {
    return new ScaleEvent(
        i + "/decided", i, new BranchId("b1"), Action.SUSPEND, "", "", Outcome.DECIDED);
  }
}

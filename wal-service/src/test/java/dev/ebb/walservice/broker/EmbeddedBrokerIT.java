package dev.ebb.walservice.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedBrokerIT {
  @TempDir Path dir;

  @Test
  void topicsAreThereAfterAStopAndAStartEvenWithTheClusterIdCutOff() throws Exception {
    try (var broker = new EmbeddedBroker(dir, 0)) {
      long started = System.nanoTime();
      broker.start();
      System.out.println("first start " + (System.nanoTime() - started) / 1_000_000 + " ms");
      try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
        admin
            .createTopics(List.of(new NewTopic("one", Optional.of(1), Optional.empty())))
            .all()
            .get(20, TimeUnit.SECONDS);
      }
      started = System.nanoTime();
      broker.stop();
      System.out.println("stop " + (System.nanoTime() - started) / 1_000_000 + " ms");
      // What a power cut right after the first start of an older Ebb could leave.
      Files.writeString(dir.resolve("cluster.id"), "");
      started = System.nanoTime();
      broker.start();
      System.out.println("second start " + (System.nanoTime() - started) / 1_000_000 + " ms");
      try (Admin admin = Admin.create(Map.of("bootstrap.servers", broker.bootstrapServers()))) {
        assertThat(admin.listTopics().names().get(20, TimeUnit.SECONDS)).contains("one");
      }
    }
  }

  @Test
  void aPortInUseIsAClearError() throws Exception {
    try (var taken = new ServerSocket(0, 1, InetAddress.ofLiteral("127.0.0.1"));
        var broker = new EmbeddedBroker(dir, taken.getLocalPort())) {
      assertThatThrownBy(broker::start)
          .isInstanceOf(EbbException.Unavailable.class)
          .hasMessageContaining("port " + taken.getLocalPort());
    }
  }
}

package dev.ebb.launcher.durability;

import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.launcher.process.FreePorts;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.TopicPartitionInfo;

/** Three Kafka nodes, each a process of its own that can be killed, stopped and started again. */
final class KafkaCluster implements AutoCloseable {
  static final int NODES = 3;
  private static final Duration START = Duration.ofSeconds(60);

  private final Path directory;
  private final List<Integer> ports;
  private final List<EbbProcess> nodes = new ArrayList<>();

  /** Begins to start all of them. */
  KafkaCluster(Path directory) throws IOException {
    this.directory = directory;
    this.ports = FreePorts.take(2 * NODES);
    for (int node = 0; node < NODES; node++) {
      nodes.add(begin(node));
    }
  }

  private EbbProcess begin(int node) throws IOException {
    List<String> words = new ArrayList<>(List.of(String.valueOf(node), directory.toString()));
    ports.forEach(port -> words.add(port.toString()));
    return EbbProcess.startMain(
        KafkaNode.class.getName(), directory, Map.of(), words.toArray(String[]::new));
  }

  void awaitUp() throws InterruptedException {
    for (int node = 0; node < NODES; node++) {
      awaitUp(node);
    }
  }

  void awaitUp(int node) throws InterruptedException {
    nodes.get(node).awaitLine("Kafka node " + node + " is up", START);
  }

  String bootstrapServers() {
    return ports.subList(0, NODES).stream()
        .map(port -> "127.0.0.1:" + port)
        .collect(Collectors.joining(","));
  }

  void kill(int node) throws InterruptedException {
    nodes.get(node).kill();
  }

  /** SIGSTOP: its connections stay, and nothing comes of them. */
  void pause(int node) throws Exception {
    nodes.get(node).signal("STOP");
  }

  void resume(int node) throws Exception {
    nodes.get(node).signal("CONT");
  }

  /** SIGTERM: a clean stop. */
  void stop(int node) {
    nodes.get(node).close();
  }

  /** After a kill or a stop. */
  void restart(int node) throws IOException {
    nodes.set(node, begin(node));
  }

  Admin admin() {
    return Admin.create(
        Map.of("bootstrap.servers", bootstrapServers(), "request.timeout.ms", "5000"));
  }

  /** The topics of branches. */
  Set<String> topics(Admin admin) throws Exception {
    return admin.listTopics().names().get(20, TimeUnit.SECONDS).stream()
        .filter(name -> name.startsWith("ebb-wal-"))
        .collect(Collectors.toSet());
  }

  /** A topic's only partition. */
  TopicPartitionInfo partition(Admin admin, String topic) throws Exception {
    var found = admin.describeTopics(List.of(topic)).allTopicNames().get(20, TimeUnit.SECONDS);
    return Objects.requireNonNull(found.get(topic)).partitions().getFirst();
  }

  int controller(Admin admin) throws Exception {
    return admin.describeMetadataQuorum().quorumInfo().get(20, TimeUnit.SECONDS).leaderId();
  }

  @Override
  public void close() {
    for (EbbProcess node : nodes) {
      try {
        node.signal("CONT");
      } catch (Exception e) { // it is gone
      }
    }
    for (EbbProcess node : nodes) {
      try {
        node.kill();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}

package dev.ebb.launcher.durability;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;

/**
 * A JVM that is one of several Kafka nodes, each of them broker and controller. Words: its number
 * from 0, the directory that has a directory for each node, and of every node the ports of its
 * broker and of its controller.
 */
public final class KafkaNode {
  private static final String CLUSTER = "EbbTestsOfKafkaBreak__";

  private KafkaNode() {}

  public static void main(String[] words) throws Exception {
    int node = Integer.parseInt(words[0]);
    Path logs = Files.createDirectories(Path.of(words[1], "kafka-" + node));
    List<Integer> ports =
        List.of(words).subList(2, words.length).stream().map(Integer::valueOf).toList();
    int nodes = ports.size() / 2;
    try (var silent =
        new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8)) {
      new Formatter()
          .setPrintStream(silent)
          .setNodeId(node)
          .setClusterId(CLUSTER)
          .setControllerListenerName("CONTROLLER")
          .setMetadataLogDirectory(logs.toString())
          .addDirectory(logs.toString())
          .setIgnoreFormatted(true)
          .run();
    }
    var server =
        new KafkaRaftServer(
            new KafkaConfig(
                settings(node, logs, ports.subList(0, nodes), ports.subList(nodes, 2 * nodes)),
                false),
            Time.SYSTEM);
    Runtime.getRuntime().addShutdownHook(new Thread(server::shutdown));
    server.startup();
    System.out.println("Kafka node " + node + " is up");
    server.awaitShutdown();
  }

  private static Map<String, Object> settings(
      int node, Path logs, List<Integer> brokers, List<Integer> controllers) {
    var settings = new HashMap<String, Object>();
    settings.put("process.roles", "broker,controller");
    settings.put("node.id", node);
    settings.put("log.dirs", logs.toString());
    settings.put(
        "listeners",
        "BROKER://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d"
            .formatted(brokers.get(node), controllers.get(node)));
    settings.put("advertised.listeners", "BROKER://127.0.0.1:" + brokers.get(node));
    settings.put("listener.security.protocol.map", "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT");
    settings.put("inter.broker.listener.name", "BROKER");
    settings.put("controller.listener.names", "CONTROLLER");
    settings.put(
        "controller.quorum.voters",
        IntStream.range(0, controllers.size())
            .mapToObj(i -> i + "@127.0.0.1:" + controllers.get(i))
            .collect(Collectors.joining(",")));
    settings.put("auto.create.topics.enable", false);
    settings.put("message.max.bytes", 4 << 20);
    settings.put("log.segment.bytes", 16 << 20);
    settings.put("offsets.topic.num.partitions", 1);
    settings.put("num.network.threads", 1);
    settings.put("num.io.threads", 2);
    settings.put("background.threads", 1);
    settings.put("log.cleaner.threads", 1);
    settings.put("log.cleaner.dedupe.buffer.size", 4 << 20);
    // A dead broker is noticed in 2 s instead of 9, a dead controller in 1 s instead of 2: the
    // tests
    // are short.
    settings.put("broker.session.timeout.ms", 2_000);
    settings.put("broker.heartbeat.interval.ms", 300);
    settings.put("controller.quorum.fetch.timeout.ms", 1_000);
    settings.put("controller.quorum.election.timeout.ms", 500);
    settings.put("replica.lag.time.max.ms", 2_000);
    return settings;
  }
}

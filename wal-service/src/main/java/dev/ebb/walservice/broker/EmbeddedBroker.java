package dev.ebb.walservice.broker;

import dev.ebb.shared.error.EbbException;
import dev.ebb.walservice.topic.LocalBroker;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One Kafka node, broker and controller, on loopback only. It writes every record through to the
 * disk before it acknowledges it, because nobody else has a copy.
 *
 * <p>Topics whose producer syncs them by {@link #local} are the exception: they are set not to be
 * flushed by Kafka.
 *
 * <p>It needs no clean stop: after a {@code kill -9} the next start recovers the log. Kafka ends
 * the whole process when its data directory fails (a full disk): nothing could be acknowledged any
 * more, and the next start goes on from what is on disk.
 *
 * <p>Kafka logs much at INFO: configure {@code org.apache.kafka}, {@code kafka} and {@code
 * state.change.logger} at WARN.
 */
public final class EmbeddedBroker implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(EmbeddedBroker.class);
  private static final String HOST = "127.0.0.1";
  private static final String LOGS = "data";
  private static final int NODE = 1;

  private final Path dataDir;
  private final int requestedPort;
  private final LocalBroker local = new Local();
  private final SegmentSync segments;
  private int port;
  private @Nullable KafkaRaftServer server;
  private volatile @Nullable LogAppender appender;

  /**
   * A broker that is not started yet.
   *
   * @param dataDir holds everything of it; made where it is missing
   * @param port to listen on, 0 for any that is free, which it then keeps when started again
   */
  public EmbeddedBroker(Path dataDir, int port) {
    if (port < 0 || port > 65_535) {
      throw new EbbException.Invalid("not a port: " + port);
    }
    this.dataDir = dataDir;
    this.requestedPort = port;
    this.segments = new SegmentSync(dataDir.resolve(LOGS));
  }

  /** Starts it; returns when it answers. {@code Unavailable} says what is in the way. */
  public synchronized void start() {
    if (server != null) {
      throw new IllegalStateException("started already");
    }
    int controllerPort;
    try (ServerSocket broker = bind(port == 0 ? requestedPort : port);
        ServerSocket controller = bind(0)) {
      port = broker.getLocalPort();
      controllerPort = controller.getLocalPort();
    } catch (IOException e) {
      throw new EbbException.Unavailable(
          "Kafka's port "
              + requestedPort
              + " on "
              + HOST
              + " cannot be used ("
              + e.getMessage()
              + "): end what listens there or choose another",
          e);
    }
    try {
      Path logs = dataDir.resolve(LOGS);
      Files.createDirectories(logs);
      var config = new KafkaConfig(settings(logs, port, controllerPort), false);
      format(logs, ClusterId.of(dataDir, logs));
      var starting = new KafkaRaftServer(config, Time.SYSTEM);
      server = starting;
      starting.startup();
      appender = LogAppender.of(starting);
    } catch (Exception e) {
      stop();
      throw new EbbException.Unavailable(
          "the embedded Kafka did not start in " + dataDir + ": " + e.getMessage(), e);
    }
  }

  /** Takes records of topics of one partition, and writes them through to disk. */
  public LocalBroker local() {
    return local;
  }

  /** What clients connect to; of a started broker only. */
  public synchronized String bootstrapServers() {
    if (server == null) {
      throw new IllegalStateException("not started");
    }
    return HOST + ":" + port;
  }

  @Override
  public void close() {
    stop();
  }

  /** Stops it cleanly; can be started again. */
  public synchronized void stop() {
    KafkaRaftServer running = server;
    server = null;
    appender = null;
    if (running != null) {
      try {
        running.shutdown();
        running.awaitShutdown();
      } catch (RuntimeException e) {
        log.warn("the embedded Kafka did not stop cleanly", e);
      }
    }
  }

  private static ServerSocket bind(int port) throws IOException {
    var socket = new ServerSocket();
    try {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(InetAddress.ofLiteral(HOST), port));
      return socket;
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  private static void format(Path logs, String clusterId) throws Exception {
    try (var silent =
        new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8)) {
      new Formatter()
          .setPrintStream(silent)
          .setNodeId(NODE)
          .setClusterId(clusterId)
          .setControllerListenerName("CONTROLLER")
          .setMetadataLogDirectory(logs.toString())
          .addDirectory(logs.toString())
          .setIgnoreFormatted(true)
          .run();
    }
  }

  private static Map<String, Object> settings(Path logs, int port, int controllerPort) {
    var settings = new HashMap<String, Object>();
    settings.put("process.roles", "broker,controller");
    settings.put("node.id", NODE);
    settings.put("log.dirs", logs.toString());
    settings.put(
        "listeners",
        "BROKER://" + HOST + ":" + port + ",CONTROLLER://" + HOST + ":" + controllerPort);
    settings.put("advertised.listeners", "BROKER://" + HOST + ":" + port);
    settings.put("listener.security.protocol.map", "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT");
    settings.put("inter.broker.listener.name", "BROKER");
    settings.put("controller.listener.names", "CONTROLLER");
    settings.put("controller.quorum.voters", NODE + "@" + HOST + ":" + controllerPort);

    // Acknowledged means on disk: this is the only copy.
    settings.put("log.flush.interval.messages", 1);
    settings.put("auto.create.topics.enable", false);
    settings.put("unclean.leader.election.enable", false);
    settings.put("log.retention.ms", -1);
    settings.put("log.retention.bytes", -1);
    settings.put("message.max.bytes", 4 << 20);

    // Topics of Kafka's own, made where something uses a consumer group or a transaction.
    settings.put("offsets.topic.replication.factor", (short) 1);
    settings.put("offsets.topic.num.partitions", 1);
    settings.put("transaction.state.log.replication.factor", (short) 1);
    settings.put("transaction.state.log.min.isr", 1);
    settings.put("transaction.state.log.num.partitions", 1);
    settings.put("share.coordinator.state.topic.replication.factor", (short) 1);
    settings.put("share.coordinator.state.topic.min.isr", (short) 1);
    settings.put("share.coordinator.state.topic.num.partitions", 1);
    settings.put("group.initial.rebalance.delay.ms", 0);

    // After a kill the controller refuses the broker until its former session has run out: 9 s
    // unless set. A process that stalls for longer leads no partition for a moment, during which
    // appends wait.
    settings.put("broker.session.timeout.ms", 3_000);
    settings.put("broker.heartbeat.interval.ms", 500);

    // Small: one machine, a few clients. Index files are synced with every record, so they are kept
    // short; segments are short so that a start after a crash has little to check.
    settings.put("num.network.threads", 1);
    settings.put("num.io.threads", 2);
    settings.put("num.recovery.threads.per.data.dir", 1);
    settings.put("background.threads", 1);
    settings.put("log.cleaner.threads", 1);
    settings.put("log.cleaner.dedupe.buffer.size", 4 << 20);
    settings.put("log.segment.bytes", 64 << 20);
    // A segment has its length from the beginning, without taking the room: to write records
    // through, the disk need not write the inode as well, which takes half as long again.
    settings.put("log.preallocate", true);
    settings.put("log.index.size.max.bytes", 256 << 10);
    return settings;
  }

  private final class Local implements LocalBroker {
    @Override
    public long append(ProducerRecord<byte[], byte[]> record) {
      LogAppender present = appender;
      if (present == null) {
        throw new KafkaException("the embedded Kafka does not run");
      }
      return present.append(record);
    }

    @Override
    public void sync(String topic, long unsyncedFrom, long unsyncedTo) throws IOException {
      segments.sync(topic, unsyncedFrom, unsyncedTo);
    }

    @Override
    public void forget(String topic) {
      segments.forget(topic);
    }
  }
}

package dev.ebb.walservice.topic;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.walservice.log.LogRecord;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The topics in Kafka. One producer serves all branches: it keeps order for each partition by
 * itself (idempotence numbers the records of each partition), and one connection to a broker lets
 * records of several branches travel, and be flushed, together. Its buffer is bounded; each
 * branch's share is bounded by what its receiver may have in flight.
 */
public final class KafkaTopics implements LogTopics {
  private static final Logger log = LoggerFactory.getLogger(KafkaTopics.class);

  /** No record is larger, headers included. */
  static final int MAX_RECORD_BYTES = 2 << 20;

  private static final int BUFFER_BYTES = 128 << 20;
  private static final int BATCH_BYTES = 64 << 10;

  /** How long an append waits for room or for the topic's leader to be known. */
  private static final int MAX_BLOCK_MS = 30_000;

  private static final int REQUEST_TIMEOUT_MS = 10_000;

  /** A broker that does not say how it is set in this time is looked at another time. */
  private static final Duration BROKER_PATIENCE = Duration.ofSeconds(2);

  private static final Duration PROPAGATION_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration PROPAGATION_PAUSE = Duration.ofMillis(5);

  private final KafkaConfig config;
  private final Admin admin;
  private final ReopenedProducer producer;
  private final TopicReaders readers;
  private final @Nullable LocalAppends local;
  private volatile boolean known;

  /**
   * Connects when first used: no error here tells that Kafka is away.
   *
   * @param local the broker, where it is in this process and the only one: records go to it
   *     directly, and are on disk before they count as appended; null where Kafka's acknowledgement
   *     is enough
   */
  public KafkaTopics(KafkaConfig config, @Nullable LocalBroker local) {
    this.config = config;
    this.local = local == null ? null : new LocalAppends(local);
    try {
      this.admin = Admin.create(common());
      this.producer =
          new ReopenedProducer(() ->
              new KafkaProducer<>(
                  producer(), new ByteArraySerializer(), new ByteArraySerializer()));
      this.readers = new TopicReaders(common());
    } catch (KafkaException e) {
      throw new EbbException.Unavailable(
          "the clients of Kafka at " + config.bootstrapServers() + " cannot be made: " + cause(e),
          e);
    }
  }

  private Map<String, Object> common() {
    var settings = new HashMap<String, Object>(config.client());
    // A broker that hangs is left for another one after so long; may be configured.
    settings.putIfAbsent(CommonClientConfigs.REQUEST_TIMEOUT_MS_CONFIG, REQUEST_TIMEOUT_MS);
    settings.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, config.bootstrapServers());
    settings.put(CommonClientConfigs.RETRY_BACKOFF_MS_CONFIG, 10);
    settings.put(CommonClientConfigs.RETRY_BACKOFF_MAX_MS_CONFIG, 500);
    settings.put(CommonClientConfigs.RECONNECT_BACKOFF_MS_CONFIG, 20);
    settings.put(CommonClientConfigs.RECONNECT_BACKOFF_MAX_MS_CONFIG, 500);
    settings.put(CommonClientConfigs.ENABLE_METRICS_PUSH_CONFIG, false);
    return settings;
  }

  private Map<String, Object> producer() {
    Map<String, Object> settings = common();
    settings.put(ProducerConfig.ACKS_CONFIG, "all");
    settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
    settings.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, 5);
    settings.put(ProducerConfig.LINGER_MS_CONFIG, 0);
    settings.put(ProducerConfig.BATCH_SIZE_CONFIG, BATCH_BYTES);
    settings.put(ProducerConfig.BUFFER_MEMORY_CONFIG, (long) BUFFER_BYTES);
    settings.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, MAX_RECORD_BYTES);
    settings.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "none");
    settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, MAX_BLOCK_MS);
    // While Kafka is away commits wait; nothing is given up.
    settings.put(ProducerConfig.RETRIES_CONFIG, Integer.MAX_VALUE);
    settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, Integer.MAX_VALUE);
    return settings;
  }

  /** What a topic must be set to: Kafka's defaults delete WAL that nothing else has. */
  private Map<String, String> required() {
    var settings = new TreeMap<String, String>();
    settings.put(TopicConfig.RETENTION_MS_CONFIG, "-1");
    settings.put(TopicConfig.RETENTION_BYTES_CONFIG, "-1");
    settings.put(TopicConfig.CLEANUP_POLICY_CONFIG, TopicConfig.CLEANUP_POLICY_DELETE);
    settings.put(
        TopicConfig.MIN_IN_SYNC_REPLICAS_CONFIG, Integer.toString(config.minInsyncReplicas()));
    settings.put(TopicConfig.UNCLEAN_LEADER_ELECTION_ENABLE_CONFIG, "false");
    settings.put(TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Integer.toString(MAX_RECORD_BYTES));
    if (local != null) {
      settings.put(TopicConfig.FLUSH_MESSAGES_INTERVAL_CONFIG, Long.toString(Long.MAX_VALUE));
    } else if (config.flushEveryRecord()) {
      settings.put(TopicConfig.FLUSH_MESSAGES_INTERVAL_CONFIG, "1");
    }
    return settings;
  }

  @Override
  public void create(BranchId branch, Duration timeout) {
    var topic =
        new NewTopic(TopicFormat.topic(branch), 1, (short) config.replicationFactor())
            .configs(required());
    try {
      await(admin.createTopics(List.of(topic)).all(), timeout, "making topic " + topic.name());
    } catch (EbbException.Unavailable e) {
      if (!(e.getCause() instanceof TopicExistsException)) {
        throw e;
      }
    }
    // Whoever opens the log next must find it.
    var _ = describe(topic.name(), timeout);
  }

  @Override
  public void requireSafe(Duration timeout) {
    if (known || local != null) {
      return;
    }
    List<String> problems;
    boolean all = true;
    try {
      List<KafkaSafety.Broker> brokers = brokers(timeout);
      problems = KafkaSafety.problems(config, brokers);
      all = brokers.stream().noneMatch(broker -> broker.settings().isEmpty());
    } catch (EbbException.Unavailable e) {
      if (!config.unsafe()) {
        throw e;
      }
      // Who may not ask the brokers cannot know.
      problems = List.of(String.valueOf(e.getMessage()));
    }
    if (!problems.isEmpty()) {
      String what =
          "the Kafka at "
              + config.bootstrapServers()
              + " may lose acknowledged commits: "
              + String.join("; ", problems);
      if (!config.unsafe()) {
        throw new EbbException.Invalid(what + "; or start with --unsafe");
      }
      log.warn("{}; it is used since --unsafe says so", what);
    }
    known = all;
  }

  /**
   * The brokers that are registered, whether they are there or not: a WAL service must be able to
   * start while one of them is down. Of those that do not answer the settings are not known.
   */
  private List<KafkaSafety.Broker> brokers(Duration timeout) {
    long deadline = System.nanoTime() + Math.min(timeout.toNanos(), BROKER_PATIENCE.toNanos());
    Collection<Node> nodes = nodes(timeout);
    var settings =
        admin
            .describeConfigs(
                nodes.stream().filter(node -> !node.isFenced()).map(KafkaTopics::resource).toList())
            .values();
    List<KafkaSafety.Broker> brokers = new ArrayList<>();
    EbbException.Unavailable silent = null;
    boolean answered = false;
    for (Node node : nodes) {
      KafkaFuture<Config> asked = settings.get(resource(node));
      Map<String, String> values = Map.of();
      if (asked != null) {
        try {
          var left = Duration.ofNanos(Math.max(0, deadline - System.nanoTime()));
          values = values(await(asked, left, "reading the settings of broker " + node.idString()));
          answered = true;
        } catch (EbbException.Unavailable e) {
          silent = e;
        }
      }
      brokers.add(new KafkaSafety.Broker(node.idString(), values));
    }
    if (!answered && silent != null) {
      throw silent;
    }
    return brokers;
  }

  private Collection<Node> nodes(Duration timeout) {
    String what = "asking for Kafka's brokers";
    try {
      var all = new DescribeClusterOptions().includeFencedBrokers(true);
      return await(admin.describeCluster(all).nodes(), timeout, what);
    } catch (EbbException.Unavailable e) {
      if (!(e.getCause() instanceof UnsupportedVersionException)) {
        throw e;
      }
      // Before Kafka 4 only those that are there can be asked for.
      return await(admin.describeCluster().nodes(), timeout, what);
    }
  }

  private static ConfigResource resource(Node node) {
    return new ConfigResource(ConfigResource.Type.BROKER, node.idString());
  }

  private static Map<String, String> values(Config config) {
    var values = new HashMap<String, String>();
    for (ConfigEntry entry : config.entries()) {
      if (entry.value() != null) {
        values.put(entry.name(), entry.value());
      }
    }
    return values;
  }

  @Override
  public String verify(BranchId branch, Duration timeout) {
    requireSafe(timeout);
    String topic = TopicFormat.topic(branch);
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
    TopicDescription description = describe(topic, timeout);
    verifyReplicas(description);
    var settings = admin.describeConfigs(List.of(resource)).all();
    var present = await(settings, timeout, "reading the settings of topic " + topic).get(resource);
    List<AlterConfigOp> corrections = new ArrayList<>();
    required()
        .forEach((name, value) -> {
          ConfigEntry entry = present == null ? null : present.get(name);
          if (entry == null || !value.equals(entry.value())) {
            log.warn(
                "topic {} has {}={}: correcting it to {}",
                topic,
                name,
                entry == null ? "nothing" : entry.value(),
                value);
            corrections.add(
                new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET));
          }
        });
    if (!corrections.isEmpty()) {
      Map<ConfigResource, Collection<AlterConfigOp>> change = Map.of(resource, corrections);
      await(
          admin.incrementalAlterConfigs(change).all(),
          timeout,
          "correcting the settings of topic " + topic);
    }
    return description.topicId().toString();
  }

  /**
   * The topic as the brokers know it. The controller confirms a new topic before every broker has
   * heard of it, so that one that is missing is looked for again for a moment.
   */
  private TopicDescription describe(String topic, Duration timeout) {
    long deadline = System.nanoTime() + Math.min(timeout.toNanos(), PROPAGATION_TIMEOUT.toNanos());
    while (true) {
      try {
        var all = admin.describeTopics(List.of(topic)).allTopicNames();
        return Objects.requireNonNull(await(all, timeout, "looking at topic " + topic).get(topic));
      } catch (EbbException.NotFound e) {
        if (System.nanoTime() - deadline > 0) {
          throw e;
        }
        LockSupport.parkNanos(PROPAGATION_PAUSE.toNanos());
      }
    }
  }

  private void verifyReplicas(TopicDescription topic) {
    if (topic.partitions().size() != 1) {
      throw new EbbException.Corrupt(
          "topic " + topic.name() + " has " + topic.partitions().size() + " partitions, not 1");
    }
    int replicas = topic.partitions().getFirst().replicas().size();
    if (replicas < config.minInsyncReplicas()) {
      throw new EbbException.Unavailable(
          "topic "
              + topic.name()
              + " has "
              + replicas
              + " replicas, fewer than the "
              + config.minInsyncReplicas()
              + " that must have a record before it is acknowledged: add replicas to it");
    }
  }

  @Override
  public void append(BranchId branch, LogRecord record, Appended appended) {
    ProducerRecord<byte[], byte[]> encoded = TopicFormat.encode(branch, record);
    if (local == null) {
      send(encoded, appended);
    } else {
      local.append(encoded, appended);
    }
  }

  private void send(ProducerRecord<byte[], byte[]> record, Appended appended) {
    try {
      producer.send(
          record,
          (metadata, error) ->
              appended.done(error == null && metadata.hasOffset() ? metadata.offset() : -1, error));
    } catch (KafkaException | IllegalStateException e) {
      appended.done(-1, e);
    }
  }

  @Override
  public void read(
      BranchId branch, long from, long to, Predicate<LogRecord.Stored> each, Duration timeout) {
    readers.read(partition(branch), from, to, each, timeout);
  }

  @Override
  public long endOffset(BranchId branch, Duration timeout) {
    TopicPartition partition = partition(branch);
    var ends =
        await(
            admin.listOffsets(Map.of(partition, OffsetSpec.latest())).all(),
            timeout,
            "asking for the end of topic " + partition.topic());
    return Objects.requireNonNull(ends.get(partition)).offset();
  }

  @Override
  public long durableEndOffset(BranchId branch, Duration timeout) {
    long end = endOffset(branch, timeout);
    if (local != null && end > 0) {
      local.flush(TopicFormat.topic(branch), end - 1);
    }
    return end;
  }

  @Override
  public long beginOffset(BranchId branch, Duration timeout) {
    TopicPartition partition = partition(branch);
    var begins =
        await(
            admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).all(),
            timeout,
            "asking for the beginning of topic " + partition.topic());
    return Objects.requireNonNull(begins.get(partition)).offset();
  }

  @Override
  public void trim(BranchId branch, long before, Duration timeout) {
    TopicPartition partition = partition(branch);
    await(
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before))).all(),
        timeout,
        "trimming topic " + partition.topic());
  }

  @Override
  public String identity(BranchId branch, Duration timeout) {
    return describe(TopicFormat.topic(branch), timeout).topicId().toString();
  }

  @Override
  public void delete(BranchId branch, Duration timeout) {
    String topic = TopicFormat.topic(branch);
    try {
      await(admin.deleteTopics(List.of(topic)).all(), timeout, "deleting topic " + topic);
    } catch (EbbException.NotFound e) {
      log.debug("topic {} is gone already", topic);
    }
    if (local != null) {
      local.forget(topic);
    }
  }

  @Override
  public void close() {
    producer.close();
    readers.close();
    admin.close(Duration.ofSeconds(1));
    if (local != null) {
      local.close();
    }
  }

  private static TopicPartition partition(BranchId branch) {
    return new TopicPartition(TopicFormat.topic(branch), 0);
  }

  private static <T> T await(KafkaFuture<T> future, Duration timeout, String what) {
    try {
      return future.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof UnknownTopicOrPartitionException) {
        throw new EbbException.NotFound(what + ": there is no such topic");
      }
      throw new EbbException.Unavailable(what + " failed: " + cause(e), e.getCause());
    } catch (TimeoutException e) {
      throw new EbbException.Unavailable(
          what + " took longer than " + timeout.toMillis() + " ms: is Kafka reachable?", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptException(e);
    }
  }

  private static String cause(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage() == null ? root.toString() : root.getMessage();
  }
}

package dev.ebb.launcher.up;

import dev.ebb.launcher.client.ServerLocation;
import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.launcher.config.EbbConfig.Kafka;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.walservice.topic.ArchivedTopics;
import dev.ebb.walservice.topic.KafkaConfig;
import dev.ebb.walservice.topic.KafkaTopics;
import dev.ebb.walservice.topic.LogTopics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The logs of all branches, and the object store, for whoever reads them without a server: the
 * Kafka that is configured, the one in the server that runs in the data directory, or, where none
 * runs, a broker of this process on that directory.
 */
public final class LogAccess implements AutoCloseable {
  private final ObjectStore store;
  private final LogTopics topics;
  private final Path spool;
  private final @Nullable ServerLocation server;
  private final @Nullable Broker broker;
  private final @Nullable DataDirectory directory;

  private LogAccess(
      ObjectStore store,
      LogTopics topics,
      Path spool,
      @Nullable ServerLocation server,
      @Nullable Broker broker,
      @Nullable DataDirectory directory) {
    this.store = store;
    this.topics = topics;
    this.spool = spool;
    this.server = server;
    this.broker = broker;
    this.directory = directory;
  }

  /** Connects, or starts what is needed. */
  public static LogAccess open(EbbConfig config) throws Exception {
    LogFile.adoptLibraries();
    DataDirectory directory = null;
    Broker broker = null;
    ObjectStore store = null;
    try {
      ServerLocation found = ServerLocation.read(config.dataDir());
      ServerLocation running = found != null && isAlive(found.pid()) ? found : null;
      KafkaConfig kafka;
      if (config.kafka() instanceof Kafka.Cluster cluster) {
        kafka = reading(cluster);
      } else {
        if (!Files.isDirectory(config.dataDir())) {
          throw new StartException(
              config.dataDir() + " is no data directory: name one with --data, or --config");
        }
        String brokers = running == null ? null : running.kafka();
        if (brokers != null) {
          kafka = KafkaConfig.oneReplica(brokers);
        } else {
          directory = DataDirectory.open(config.dataDir(), "lock");
          broker = Broker.start(config, directory.path());
          kafka = reading(broker.address());
        }
      }
      store = ObjectStores.open(config);
      LogTopics topics = new ArchivedTopics(new KafkaTopics(kafka, null), store);
      // Files in it are made without a name that would stay.
      Path spool = Path.of(System.getProperty("java.io.tmpdir"));
      return new LogAccess(store, topics, spool, running, broker, directory);
    } catch (Exception e) {
      close(store, broker, directory);
      throw e instanceof EbbException known
          ? new StartException(String.valueOf(known.getMessage()), known)
          : e;
    }
  }

  private static boolean isAlive(long pid) {
    return ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
  }

  private static KafkaConfig reading(Kafka.Cluster cluster) {
    return new KafkaConfig(
        cluster.bootstrapServers(),
        Map.copyOf(cluster.properties()),
        cluster.replicationFactor(),
        cluster.minInsyncReplicas(),
        cluster.replicationFactor() == 1,
        cluster.unsafe());
  }

  public ObjectStore store() {
    return store;
  }

  public LogTopics topics() {
    return topics;
  }

  /** The server that runs in the data directory; null where none does. */
  public @Nullable ServerLocation server() {
    return server;
  }

  /** A directory for temporary files. */
  public Path spool() {
    return spool;
  }

  @Override
  public void close() throws IOException {
    topics.close();
    close(store, broker, directory);
  }

  private static void close(
      @Nullable ObjectStore store, @Nullable Broker broker, @Nullable DataDirectory directory)
      throws IOException {
    if (store != null) {
      store.close();
    }
    if (broker != null) {
      broker.close();
    }
    if (directory != null) {
      directory.close();
    }
  }
}

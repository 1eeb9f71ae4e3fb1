package dev.ebb.launcher.config;

import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.shared.model.Secret;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Everything that is configured. Made by {@link ConfigReader}, which checks it; {@link
 * ConfigPrinter} shows it.
 *
 * @param dataDir where a process keeps its files; everything that is not named otherwise is below
 *     it
 * @param clusterSecret shared by the services to log in to computes; null: kept in the data
 *     directory
 * @param apiToken what clients of the HTTP API present; null: kept in the data directory
 * @param storeDelay added to every request to the object store: for measurements only
 */
public record EbbConfig(
    Path dataDir,
    @Nullable Secret clusterSecret,
    @Nullable Secret apiToken,
    Gateway gateway,
    Api api,
    Store store,
    Duration storeDelay,
    Kafka kafka,
    Hazelcast hazelcast,
    Bus bus,
    Compute compute,
    Page page,
    Wal wal,
    Scaler scaler,
    Service service) {

  /**
   * The PostgreSQL wire protocol.
   *
   * @param tls the certificate to show; null: a self-signed one, made at the first start
   * @param requireTls whether clients without TLS are refused
   * @param maxConnections of clients, in all
   * @param domain below which TLS clients may name a branch: {@code branch--database.DOMAIN}; null:
   *     names of servers mean nothing
   * @param clientCaFile PEM certificates that sign clients' ones; null: clients show none
   * @param requireClientCertificate whether clients without one are refused
   * @param computeCaFile PEM certificates that sign those of computes; null: no TLS to them
   * @param pool null: each client gets a connection of its own
   * @param drainTimeout how long transactions may go on when the gateway is to stop; zero: not at
   *     all
   * @param sharePort whether another gateway may listen on the same ports, to take them over
   */
  public record Gateway(
      String host,
      int port,
      @Nullable Tls tls,
      boolean requireTls,
      int maxConnections,
      @Nullable String domain,
      @Nullable Path clientCaFile,
      boolean requireClientCertificate,
      @Nullable Path computeCaFile,
      Limits limits,
      @Nullable Pool pool,
      Duration drainTimeout,
      boolean sharePort) {}

  /**
   * A second port, on which clients share connections to computes.
   *
   * @param port 0: any that is free
   */
  public record Pool(int port, PoolConfig config) {}

  /**
   * So many in a time.
   *
   * @param count 0: no limit
   */
  public record Rate(int count, Duration per) {}

  /** What one address and one database get of a gateway. */
  public record Limits(
      Rate connectionsPerAddress,
      Rate connectionsPerDatabase,
      Rate failedLoginsPerAddress,
      Rate failedLoginsPerDatabase,
      Rate wakesPerAddress,
      Rate wakesPerDatabase) {}

  /** PEM files. */
  public record Tls(Path certificate, Path privateKey) {}

  /** The HTTP API. */
  public record Api(String host, int httpPort) {}

  /** The object store. */
  public sealed interface Store {
    /** A directory of this machine. */
    record Local(Path dir) implements Store {}

    /**
     * A bucket.
     *
     * @param prefix put before every key; may be empty
     * @param accessKey from {@code AWS_ACCESS_KEY_ID}
     * @param secretKey from {@code AWS_SECRET_ACCESS_KEY}
     * @param sessionToken of temporary credentials, from {@code AWS_SESSION_TOKEN}
     * @param connectTimeout for one connection attempt
     * @param ioTimeout in which at least one byte comes or goes
     * @param requestTimeout for one request, sent and answered
     * @param attempts of a request, the first included
     * @param partSizeBytes larger objects are written in parts of this size
     */
    record S3(
        String endpoint,
        String bucket,
        String prefix,
        String region,
        Secret accessKey,
        Secret secretKey,
        @Nullable Secret sessionToken,
        Duration connectTimeout,
        Duration ioTimeout,
        Duration requestTimeout,
        int attempts,
        long partSizeBytes)
        implements Store {}
  }

  /** Where the WAL goes. */
  public sealed interface Kafka {
    /**
     * A broker inside {@code ebb up}.
     *
     * @param port 0: any free one
     */
    record Embedded(int port) implements Kafka {}

    /**
     * A Kafka cluster.
     *
     * @param properties of the clients, for security: {@code security.protocol} and its like
     * @param unsafe whether it is used although it may lose acknowledged commits
     */
    record Cluster(
        String bootstrapServers,
        int replicationFactor,
        int minInsyncReplicas,
        Map<String, String> properties,
        boolean unsafe)
        implements Kafka {
      /** Without the properties: a password may be among them. */
      @Override
      public String toString() {
        return "Cluster[bootstrapServers=" + bootstrapServers + "]";
      }
    }
  }

  /**
   * The cluster of processes.
   *
   * @param host the address that this member binds and tells the others
   * @param port 0: any free one
   * @param members {@code host:port} of members to join; empty: this process is alone
   */
  public record Hazelcast(String host, int port, List<String> members) {}

  /**
   * The event bus.
   *
   * @param host the address that this process binds and tells the others
   * @param port 0: any free one
   */
  public record Bus(String host, int port) {}

  /**
   * What this host gives to computes.
   *
   * @param host the address that computes listen on and that the gateway connects to
   * @param memoryBudgetBytes of all computes together
   * @param computeMemoryBytes of one compute
   * @param maxConnections of one compute
   * @param osUser who runs PostgreSQL where Ebb runs as root
   * @param cacheDir local files of computes, thrown away at will; null: chosen at the start
   * @param captureWalBytes a running compute is captured once it has written so much WAL
   * @param captureInterval and at the latest after this time
   * @param preparedStarts of how many suspended branches the next start is laid out in advance
   * @param localCacheBytes of pages of all computes on the local disk; 0: most of what is free
   *     there
   * @param tls what computes show to the gateway; null: they offer none
   */
  public record Compute(
      String host,
      long memoryBudgetBytes,
      long computeMemoryBytes,
      int maxConnections,
      String osUser,
      @Nullable Path cacheDir,
      long captureWalBytes,
      Duration captureInterval,
      int preparedStarts,
      long localCacheBytes,
      @Nullable Tls tls) {}

  /**
   * The page service.
   *
   * @param l1Bytes of its cache in the process
   * @param l2Bytes of its cache in Hazelcast, for each member
   * @param pitrWindow how far back a point-in-time branch reaches
   * @param gcInterval how often what nothing reaches is deleted and packs are compacted; zero:
   *     never
   * @param gcGrace how old an object must be to be deleted; a capture may take half of it. The same
   *     for all page services of a store
   */
  public record Page(
      long l1Bytes, long l2Bytes, Duration pitrWindow, Duration gcInterval, Duration gcGrace) {}

  /**
   * The WAL service.
   *
   * @param archiveWalBytes how much WAL of a branch may be in Kafka alone before it goes to the
   *     object store
   * @param archiveAge how long some may
   * @param primaryTimeout a primary that says nothing for so long is gone
   * @param sender null: standbys cannot stream from here
   */
  public record Wal(
      long archiveWalBytes,
      Duration archiveAge,
      Duration primaryTimeout,
      @Nullable Sender sender) {}

  /**
   * Streaming replication for standbys and {@code pg_receivewal}.
   *
   * @param port null: {@link #DEFAULT_PORT}, or any free one where that is in use
   * @param timeout a client that says nothing for so long is gone
   */
  public record Sender(String host, @Nullable Integer port, Duration timeout) {
    public static final int DEFAULT_PORT = 7432;
  }

  /**
   * When computes are put to sleep.
   *
   * @param idleTimeout zero: never
   */
  public record Scaler(Duration idleTimeout) {}

  /**
   * {@code ebb run}: what every service's process shows.
   *
   * @param httpPort of {@code /metrics} and {@code /healthz}; 0: none
   */
  public record Service(String host, int httpPort) {}
}

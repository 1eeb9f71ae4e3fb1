package dev.ebb.launcher.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.gateway.pool.PoolMode;
import dev.ebb.gateway.pool.PoolRule;
import dev.ebb.gateway.pool.PoolTerms;
import dev.ebb.launcher.config.EbbConfig.Kafka;
import dev.ebb.launcher.config.EbbConfig.Store;
import dev.ebb.launcher.config.EbbConfig.Tls;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.S3Config;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Reads the configuration: defaults, over them a YAML (or JSON, which is YAML too) file, over that
 * the flags of the command line; secrets from the environment.
 */
public final class ConfigReader {
  private static final int MAX_PORT = 65535;
  private static final Duration MIN_GC_GRACE = Duration.ofMinutes(10);
  private static final List<String> OWN_KAFKA_SETTINGS =
      List.of(
          "acks",
          "enable.idempotence",
          "retries",
          "delivery.timeout.ms",
          "max.in.flight.requests.per.connection",
          "max.request.size",
          "bootstrap.servers");
  private static final long MEGABYTE = 1024 * 1024;
  private static final long GIGABYTE = 1024 * MEGABYTE;
  private static final long MAX_TIMEOUT_MS = 600_000;
  private static final int MIN_SECRET_LENGTH = 16;
  private static final Pattern DOMAIN =
      Pattern.compile("(?i)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*");
  private static final Pattern HOST_AND_PORT = Pattern.compile("[^\\s:,]+:\\d{1,5}");

  /** A value of the command line: {@code flag} is how it was given, for messages. */
  public record Flag(String flag, String path, String value) {}

  private final Map<String, String> environment;
  private final long machineMemoryBytes;

  /**
   * @param environment the environment's variables
   * @param machineMemoryBytes half of it is what computes may use, unless configured
   */
  public ConfigReader(Map<String, String> environment, long machineMemoryBytes) {
    this.environment = Map.copyOf(environment);
    this.machineMemoryBytes = machineMemoryBytes;
  }

  /** The effective configuration, or all that is wrong with it. */
  public EbbConfig read(@Nullable Path file, List<Flag> flags) throws ConfigException {
    List<String> violations = new ArrayList<>();
    ObjectNode tree = parse(file, violations);
    if (!violations.isEmpty()) {
      throw new ConfigException(violations);
    }
    Map<String, String> origins = new LinkedHashMap<>();
    for (Flag flag : flags) {
      overlay(tree, flag);
      origins.put(flag.path(), flag.flag());
    }
    var root = new Section("", tree, violations, origins);
    EbbConfig config = read(root);
    root.finish();
    requireLong("EBB_CLUSTER_SECRET", config.clusterSecret(), violations);
    requireLong("EBB_TOKEN", config.apiToken(), violations);
    if (!violations.isEmpty()) {
      throw new ConfigException(violations);
    }
    return config;
  }

  private static void requireLong(
      String variable, @Nullable Secret secret, List<String> violations) {
    if (secret != null && secret.reveal().length() < MIN_SECRET_LENGTH) {
      violations.add(
          "the environment variable "
              + variable
              + " is shorter than "
              + MIN_SECRET_LENGTH
              + " characters");
    }
  }

  private EbbConfig read(Section root) {
    Path dataDir = root.path("dataDir");
    if (dataDir == null) {
      dataDir = Path.of(".ebb").toAbsolutePath().normalize();
    }
    Section store = root.section("store");
    return new EbbConfig(
        dataDir,
        secret("EBB_CLUSTER_SECRET"),
        secret("EBB_TOKEN"),
        gateway(root.section("gateway")),
        api(root.section("api")),
        store(store, dataDir),
        store.duration("delay", Duration.ZERO),
        kafka(root.section("kafka")),
        hazelcast(root.section("hazelcast")),
        bus(root.section("bus")),
        compute(root.section("compute")),
        page(root.section("page")),
        wal(root.section("wal")),
        scaler(root.section("scaler")),
        service(root.section("service")));
  }

  private static EbbConfig.Gateway gateway(Section section) {
    Path clientCaFile = section.path("clientCaFile");
    if (clientCaFile != null) {
      requireFile(section, "clientCaFile", clientCaFile);
    }
    Path computeCaFile = section.path("computeCaFile");
    if (computeCaFile != null) {
      requireFile(section, "computeCaFile", computeCaFile);
    }
    boolean requireCertificate = section.truth("requireClientCertificate", false);
    if (requireCertificate && clientCaFile == null) {
      section.violate("requireClientCertificate", "needs clientCaFile, which signs them");
    }
    String domain = section.text("domain");
    if (domain != null && !DOMAIN.matcher(domain).matches()) {
      section.violate("domain", "\"" + domain + "\" is not a domain such as db.example.com");
    }
    return new EbbConfig.Gateway(
        section.text("host", "127.0.0.1"),
        section.integer("port", 6432, 0, MAX_PORT),
        tls(section, section.section("tls")),
        section.truth("requireTls", false),
        section.integer("maxConnections", 20_000, 1, 1_000_000),
        domain == null ? null : domain.toLowerCase(Locale.ROOT),
        clientCaFile,
        requireCertificate,
        computeCaFile,
        limits(section.section("limits")),
        pool(section.section("pool")),
        section.duration("drainTimeout", Duration.ofSeconds(30)),
        section.truth("sharePort", false));
  }

  private static EbbConfig.@Nullable Pool pool(Section section) {
    PoolConfig usual = PoolConfig.DEFAULT;
    PoolTerms terms = terms(section, usual.terms());
    List<PoolRule> rules = new ArrayList<>();
    Section databases = section.section("databases");
    for (String database : databases.names()) {
      Section of = databases.section(database);
      PoolTerms ofAll = terms(of, terms);
      rules.add(new PoolRule(database, null, ofAll));
      Section roles = of.section("roles");
      for (String role : roles.names()) {
        rules.add(new PoolRule(database, role, terms(roles.section(role), ofAll)));
      }
    }
    var config =
        new PoolConfig(
            terms,
            rules,
            section.integer("maxPerBranch", Math.max(terms.size(), 60), 1, 10_000),
            section.integer("maxInAll", usual.maxInAll(), 1, 100_000),
            positive(section, "waitTimeout", usual.waitTimeoutMs()),
            positive(section, "idleTimeout", usual.idleTimeoutMs()),
            positive(section, "lifetime", usual.lifetimeMs()),
            section.integer("maxPreparedStatements", usual.maxPreparedStatements(), 1, 100_000),
            section.text("warmQuery", usual.warmQuery()));
    return "none".equals(section.text("port"))
        ? null
        : new EbbConfig.Pool(section.integer("port", 6433, 0, MAX_PORT), config);
  }

  private static PoolTerms terms(Section section, PoolTerms otherwise) {
    int size = section.integer("size", otherwise.size(), 1, 10_000);
    PoolMode mode = otherwise.mode();
    String called = section.text("mode", mode.name().toLowerCase(Locale.ROOT));
    switch (called) {
      case "transaction" -> mode = PoolMode.TRANSACTION;
      case "session" -> mode = PoolMode.SESSION;
      default -> section.violate("mode", "expected transaction or session, found " + called);
    }
    int minimum = section.integer("minimum", Math.min(otherwise.minimum(), size), 0, size);
    return new PoolTerms(mode, size, minimum);
  }

  private static long positive(Section section, String key, long otherwiseMs) {
    Duration found = section.duration(key, Duration.ofMillis(otherwiseMs));
    if (found.toMillis() < 1) {
      section.violate(key, "must be longer than nothing");
      return otherwiseMs;
    }
    return found.toMillis();
  }

  private static EbbConfig.Limits limits(Section section) {
    return new EbbConfig.Limits(
        section.rate("connectionsPerAddress", "2000/s"),
        section.rate("connectionsPerDatabase", "5000/s"),
        section.rate("failedLoginsPerAddress", "120/m"),
        section.rate("failedLoginsPerDatabase", "1200/m"),
        section.rate("wakesPerAddress", "1200/m"),
        section.rate("wakesPerDatabase", "600/m"));
  }

  private static @Nullable Tls tls(Section parent, Section section) {
    Path certificate = section.path("certificate");
    Path privateKey = section.path("privateKey");
    if (certificate != null && privateKey != null) {
      requireFile(section, "certificate", certificate);
      requireFile(section, "privateKey", privateKey);
      return new Tls(certificate, privateKey);
    }
    if (certificate != null || privateKey != null) {
      parent.violate("tls", "certificate and privateKey go together");
    }
    return null;
  }

  private static void requireFile(Section section, String key, Path file) {
    if (!Files.isReadable(file)) {
      section.violate(key, file + " cannot be read");
    }
  }

  private static EbbConfig.Api api(Section section) {
    return new EbbConfig.Api(
        section.text("host", "127.0.0.1"), section.integer("httpPort", 8432, 0, MAX_PORT));
  }

  private Store store(Section section, Path dataDir) {
    boolean local = section.has("local");
    if (!section.has("s3")) {
      Path dir = section.section("local").path("dir");
      return new Store.Local(dir == null ? dataDir.resolve("store") : dir);
    }
    if (local) {
      section.section("local").path("dir");
      section.violate("s3", "choose one of local and s3");
    }
    Section s3 = section.section("s3");
    S3Config.Limits defaults = S3Config.Limits.DEFAULTS;
    return new Store.S3(
        checked(s3, "endpoint", s3.required("endpoint"), S3Config::isHttp, "an http or https URL"),
        checked(s3, "bucket", s3.required("bucket"), S3Config::isBucketName, "a bucket's name"),
        checked(
            s3,
            "prefix",
            s3.has("prefix") ? Objects.requireNonNullElse(s3.text("prefix"), "") : "ebb",
            S3Config::isPrefix,
            "a prefix such as ebb or team/ebb, with no slash at either end"),
        s3.text("region", "us-east-1"),
        requiredSecret(s3, "AWS_ACCESS_KEY_ID"),
        requiredSecret(s3, "AWS_SECRET_ACCESS_KEY"),
        secret("AWS_SESSION_TOKEN"),
        timeout(s3, "connectTimeout", defaults.connectTimeoutMs()),
        timeout(s3, "ioTimeout", defaults.ioTimeoutMs()),
        timeout(s3, "requestTimeout", defaults.requestTimeoutMs()),
        s3.integer("attempts", defaults.attempts(), 1, 10),
        s3.bytes("partSize", defaults.partBytes(), S3Config.Limits.MIN_PART_BYTES, GIGABYTE));
  }

  private static String checked(
      Section section, String key, String value, Predicate<String> right, String expected) {
    // What is missing was told already.
    if (!right.test(value) && section.has(key)) {
      section.violate(key, "\"" + value + "\" is not " + expected);
    }
    return value;
  }

  private static Duration timeout(Section section, String key, long otherwiseMs) {
    Duration found = section.duration(key, Duration.ofMillis(otherwiseMs));
    if (found.toMillis() < 100 || found.toMillis() > MAX_TIMEOUT_MS) {
      section.violate(key, Quantities.format(found) + " is not between 100ms and 10m");
      return Duration.ofMillis(otherwiseMs);
    }
    return found;
  }

  private static Kafka kafka(Section section) {
    boolean cluster = section.has("bootstrapServers");
    if (cluster && section.has("embedded")) {
      section.violate("embedded", "choose one of embedded and bootstrapServers");
    }
    int embeddedPort = section.section("embedded").integer("port", 0, 0, MAX_PORT);
    List<String> servers = section.list("bootstrapServers");
    requireHostsAndPorts(section, "bootstrapServers", servers);
    int replicas = section.integer("replicationFactor", 1, 1, 100);
    int inSync = section.integer("minInsyncReplicas", Math.max(1, replicas - 1), 1, 100);
    Map<String, String> properties = section.map("properties");
    boolean unsafe = section.truth("unsafe", false);
    for (String key : OWN_KAFKA_SETTINGS) {
      if (properties.containsKey(key)) {
        section.violate("properties." + key, "is Ebb's own to set: commits depend on it");
      }
    }
    if (inSync > replicas) {
      section.violate(
          "minInsyncReplicas", inSync + " is more than the replicationFactor " + replicas);
    }
    if (!cluster) {
      for (String key : List.of("replicationFactor", "minInsyncReplicas", "properties")) {
        if (section.has(key)) {
          section.violate(key, "goes with bootstrapServers: the embedded broker stands alone");
        }
      }
      return new Kafka.Embedded(embeddedPort);
    }
    if (servers.isEmpty()) {
      section.violate("bootstrapServers", "is empty");
    }
    return new Kafka.Cluster(String.join(",", servers), replicas, inSync, properties, unsafe);
  }

  private static EbbConfig.Hazelcast hazelcast(Section section) {
    List<String> members = section.list("members");
    requireHostsAndPorts(section, "members", members);
    return new EbbConfig.Hazelcast(
        section.text("host", "127.0.0.1"),
        section.integer("port", members.isEmpty() ? 0 : 5701, 0, MAX_PORT),
        members);
  }

  private static void requireHostsAndPorts(Section section, String key, List<String> items) {
    for (String item : items) {
      if (!HOST_AND_PORT.matcher(item).matches()) {
        section.violate(key, "\"" + item + "\" is not host:port");
      }
    }
  }

  private static EbbConfig.Bus bus(Section section) {
    return new EbbConfig.Bus(
        section.text("host", "127.0.0.1"), section.integer("port", 0, 0, MAX_PORT));
  }

  private EbbConfig.Compute compute(Section section) {
    long one = section.bytes("computeMemory", 256 * MEGABYTE, 64 * MEGABYTE);
    long half = machineMemoryBytes / 2 / MEGABYTE * MEGABYTE;
    long budget = section.bytes("memoryBudget", Math.max(half, one), 64 * MEGABYTE);
    if (budget < one) {
      section.violate(
          "memoryBudget",
          Quantities.formatBytes(budget)
              + " is less than one compute's computeMemory "
              + Quantities.formatBytes(one));
    }
    Duration interval = section.duration("captureInterval", Duration.ofMinutes(1));
    if (interval.toMillis() < 1_000) {
      section.violate("captureInterval", "is shorter than 1s");
    }
    return new EbbConfig.Compute(
        section.text("host", "127.0.0.1"),
        budget,
        one,
        section.integer("maxConnections", 100, 10, 10_000),
        section.text("osUser", "postgres"),
        section.path("cacheDir"),
        section.bytes("captureWal", 32 * MEGABYTE, MEGABYTE),
        interval,
        section.integer("preparedStarts", 64, 0, 100_000),
        section.bytes("localCache", 0, 32 * MEGABYTE),
        tls(section, section.section("tls")));
  }

  private static EbbConfig.Page page(Section section) {
    Duration grace = section.duration("gcGrace", Duration.ofHours(1));
    if (grace.compareTo(MIN_GC_GRACE) < 0) {
      section.violate(
          "gcGrace", "is shorter than 10m: a capture that takes longer than half of it is lost");
    }
    return new EbbConfig.Page(
        section.bytes("l1", 64 * MEGABYTE, MEGABYTE),
        section.bytes("l2", 64 * MEGABYTE, 0),
        section.duration("pitrWindow", Duration.ofDays(7)),
        section.duration("gcInterval", Duration.ofHours(1)),
        grace);
  }

  private static EbbConfig.Wal wal(Section section) {
    Duration age = section.duration("archiveAge", Duration.ofMinutes(10));
    if (age.isZero()) {
      section.violate("archiveAge", "must be longer than nothing");
    }
    Duration primary = section.duration("primaryTimeout", Duration.ofSeconds(10));
    if (primary.toMillis() < 2_000) {
      section.violate("primaryTimeout", "is shorter than 2s");
    }
    return new EbbConfig.Wal(
        section.bytes("archiveWal", 16 * MEGABYTE, MEGABYTE),
        age,
        primary,
        sender(section.section("sender")));
  }

  private static EbbConfig.@Nullable Sender sender(Section section) {
    boolean enabled = section.truth("enabled", true);
    String host = section.text("host", "127.0.0.1");
    Integer port = section.has("port") ? section.integer("port", 0, 0, MAX_PORT) : null;
    Duration timeout = section.duration("timeout", Duration.ofMinutes(1));
    if (timeout.toMillis() < 1_000) {
      section.violate("timeout", "is shorter than 1s");
    }
    return enabled ? new EbbConfig.Sender(host, port, timeout) : null;
  }

  private static EbbConfig.Scaler scaler(Section section) {
    return new EbbConfig.Scaler(section.duration("idleTimeout", Duration.ofMinutes(5)));
  }

  private static EbbConfig.Service service(Section section) {
    return new EbbConfig.Service(
        section.text("host", "127.0.0.1"), section.integer("httpPort", 0, 0, MAX_PORT));
  }

  private @Nullable Secret secret(String variable) {
    String value = environment.get(variable);
    return value == null || value.isBlank() ? null : new Secret(value);
  }

  private Secret requiredSecret(Section section, String variable) {
    Secret found = secret(variable);
    if (found == null) {
      section.violate("endpoint", "the environment variable " + variable + " is not set");
      return new Secret("");
    }
    return found;
  }

  private static ObjectNode parse(@Nullable Path file, List<String> violations) {
    ObjectNode empty = JsonNodeFactory.instance.objectNode();
    if (file == null) {
      return empty;
    }
    try {
      JsonNode tree = mapper().readTree(Files.readString(file));
      if (tree == null || tree.isMissingNode() || tree.isNull()) {
        return empty;
      }
      if (tree instanceof ObjectNode object) {
        return object;
      }
      violations.add(file + ": expected sections such as \"gateway:\" at the top");
    } catch (JsonProcessingException e) {
      var at = e.getLocation();
      String where = at == null ? "" : ":" + at.getLineNr() + ":" + at.getColumnNr();
      String what = e.getOriginalMessage().lines().findFirst().orElse("");
      violations.add(file + where + ": not YAML: " + what);
    } catch (NoSuchFileException e) {
      violations.add(file + ": cannot be read: it does not exist");
    } catch (CharacterCodingException e) {
      violations.add(file + ": not YAML: it is not text in UTF-8");
    } catch (IOException e) {
      violations.add(file + ": cannot be read: " + e.getMessage());
    }
    return empty;
  }

  static YAMLMapper mapper() {
    return YAMLMapper.builder(
            YAMLFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .build();
  }

  private static void overlay(ObjectNode tree, Flag flag) {
    String[] keys = flag.path().split("\\.", -1);
    ObjectNode at = tree;
    for (int i = 0; i < keys.length - 1; i++) {
      at = at.get(keys[i]) instanceof ObjectNode below ? below : at.putObject(keys[i]);
    }
    at.put(keys[keys.length - 1], flag.value());
  }
}

package dev.ebb.launcher.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLGenerator;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.gateway.pool.PoolRule;
import dev.ebb.gateway.pool.PoolTerms;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Shows a configuration as the file that would give it; secrets as {@code ***}. */
public final class ConfigPrinter {
  private static final String HIDDEN = "***";
  private static final Pattern SECRET_KEY =
      Pattern.compile(".*(password|secret|jaas|token|key).*", Pattern.DOTALL);

  private ConfigPrinter() {}

  /** As YAML. */
  public static String yaml(EbbConfig config) {
    var factory =
        YAMLFactory.builder()
            .disable(YAMLGenerator.Feature.WRITE_DOC_START_MARKER)
            .enable(YAMLGenerator.Feature.MINIMIZE_QUOTES)
            .build();
    return write(YAMLMapper.builder(factory).build(), config);
  }

  /** As JSON. */
  public static String json(EbbConfig config) {
    return write(JsonMapper.builder().build(), config);
  }

  private static String write(ObjectMapper mapper, EbbConfig config) {
    try {
      return mapper
          .writerWithDefaultPrettyPrinter()
          .writeValueAsString(tree(config))
          .stripTrailing();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("maps of texts and numbers can be written", e);
    }
  }

  private static Map<String, Object> tree(EbbConfig config) {
    var root = new LinkedHashMap<String, Object>();
    root.put("dataDir", config.dataDir().toString());
    root.put("gateway", gateway(config.gateway()));
    root.put("api", section("host", config.api().host(), "httpPort", config.api().httpPort()));
    root.put("store", store(config));
    root.put("kafka", kafka(config.kafka()));
    var hazelcast = config.hazelcast();
    root.put(
        "hazelcast",
        section(
            "host", hazelcast.host(), "port", hazelcast.port(), "members", hazelcast.members()));
    root.put("bus", section("host", config.bus().host(), "port", config.bus().port()));
    var compute = config.compute();
    root.put(
        "compute",
        section(
            "host", compute.host(),
            "memoryBudget", Quantities.formatBytes(compute.memoryBudgetBytes()),
            "computeMemory", Quantities.formatBytes(compute.computeMemoryBytes()),
            "maxConnections", compute.maxConnections(),
            "osUser", compute.osUser(),
            "cacheDir", compute.cacheDir() == null ? null : compute.cacheDir().toString(),
            "captureWal", Quantities.formatBytes(compute.captureWalBytes()),
            "captureInterval", Quantities.format(compute.captureInterval()),
            "preparedStarts", compute.preparedStarts(),
            "localCache",
                compute.localCacheBytes() == 0
                    ? null
                    : Quantities.formatBytes(compute.localCacheBytes()),
            "tls", tls(compute.tls())));
    root.put(
        "page",
        section(
            "l1", Quantities.formatBytes(config.page().l1Bytes()),
            "l2", Quantities.formatBytes(config.page().l2Bytes()),
            "pitrWindow", Quantities.format(config.page().pitrWindow()),
            "gcInterval", Quantities.format(config.page().gcInterval()),
            "gcGrace", Quantities.format(config.page().gcGrace())));
    root.put(
        "wal",
        section(
            "archiveWal", Quantities.formatBytes(config.wal().archiveWalBytes()),
            "archiveAge", Quantities.format(config.wal().archiveAge()),
            "primaryTimeout", Quantities.format(config.wal().primaryTimeout()),
            "sender", sender(config.wal().sender())));
    root.put("scaler", section("idleTimeout", Quantities.format(config.scaler().idleTimeout())));
    root.put(
        "service",
        section("host", config.service().host(), "httpPort", config.service().httpPort()));
    return root;
  }

  private static Map<String, Object> sender(EbbConfig.@Nullable Sender sender) {
    return sender == null
        ? section("enabled", false)
        : section(
            "host",
            sender.host(),
            "port",
            sender.port(),
            "timeout",
            Quantities.format(sender.timeout()));
  }

  private static Map<String, Object> gateway(EbbConfig.Gateway gateway) {
    return section(
        "host",
        gateway.host(),
        "port",
        gateway.port(),
        "tls",
        tls(gateway.tls()),
        "requireTls",
        gateway.requireTls(),
        "maxConnections",
        gateway.maxConnections(),
        "domain",
        gateway.domain(),
        "clientCaFile",
        gateway.clientCaFile() == null ? null : gateway.clientCaFile().toString(),
        "requireClientCertificate",
        gateway.clientCaFile() == null ? null : gateway.requireClientCertificate(),
        "computeCaFile",
        gateway.computeCaFile() == null ? null : gateway.computeCaFile().toString(),
        "limits",
        limits(gateway.limits()),
        "pool",
        pool(gateway.pool()),
        "drainTimeout",
        Quantities.format(gateway.drainTimeout()),
        "sharePort",
        gateway.sharePort());
  }

  private static Map<String, Object> pool(EbbConfig.@Nullable Pool pool) {
    if (pool == null) {
      return section("port", "none");
    }
    PoolConfig config = pool.config();
    Map<String, Object> printed = section("port", pool.port());
    printed.putAll(terms(config.terms()));
    printed.putAll(
        section(
            "maxPerBranch",
            config.maxPerBranch(),
            "maxInAll",
            config.maxInAll(),
            "waitTimeout",
            Quantities.format(Duration.ofMillis(config.waitTimeoutMs())),
            "idleTimeout",
            Quantities.format(Duration.ofMillis(config.idleTimeoutMs())),
            "lifetime",
            Quantities.format(Duration.ofMillis(config.lifetimeMs())),
            "maxPreparedStatements",
            config.maxPreparedStatements(),
            "warmQuery",
            config.warmQuery()));
    Map<String, Object> databases = new LinkedHashMap<>();
    for (PoolRule rule : config.rules()) {
      if (rule.role() == null) {
        databases.put(rule.database(), databaseTerms(config, rule));
      }
    }
    if (!databases.isEmpty()) {
      printed.put("databases", databases);
    }
    return printed;
  }

  private static Map<String, Object> databaseTerms(PoolConfig config, PoolRule ofAll) {
    Map<String, Object> printed = terms(ofAll.terms());
    Map<String, Object> roles = new LinkedHashMap<>();
    for (PoolRule rule : config.rules()) {
      String role = rule.role();
      if (role != null && rule.database().equals(ofAll.database())) {
        roles.put(role, terms(rule.terms()));
      }
    }
    if (!roles.isEmpty()) {
      printed.put("roles", roles);
    }
    return printed;
  }

  private static Map<String, Object> terms(PoolTerms terms) {
    return section(
        "mode",
        terms.mode().name().toLowerCase(Locale.ROOT),
        "size",
        terms.size(),
        "minimum",
        terms.minimum());
  }

  private static @Nullable Map<String, Object> tls(EbbConfig.@Nullable Tls tls) {
    return tls == null
        ? null
        : section(
            "certificate", tls.certificate().toString(),
            "privateKey", tls.privateKey().toString());
  }

  private static Map<String, Object> limits(EbbConfig.Limits limits) {
    return section(
        "connectionsPerAddress", Quantities.format(limits.connectionsPerAddress()),
        "connectionsPerDatabase", Quantities.format(limits.connectionsPerDatabase()),
        "failedLoginsPerAddress", Quantities.format(limits.failedLoginsPerAddress()),
        "failedLoginsPerDatabase", Quantities.format(limits.failedLoginsPerDatabase()),
        "wakesPerAddress", Quantities.format(limits.wakesPerAddress()),
        "wakesPerDatabase", Quantities.format(limits.wakesPerDatabase()));
  }

  private static Map<String, Object> store(EbbConfig config) {
    String delay = config.storeDelay().isZero() ? null : Quantities.format(config.storeDelay());
    return switch (config.store()) {
      case EbbConfig.Store.Local local ->
          section("local", section("dir", local.dir().toString()), "delay", delay);
      case EbbConfig.Store.S3 s3 -> section("s3", s3(s3), "delay", delay);
    };
  }

  private static Map<String, Object> s3(EbbConfig.Store.S3 s3) {
    return section(
        "endpoint",
        s3.endpoint(),
        "bucket",
        s3.bucket(),
        "prefix",
        s3.prefix(),
        "region",
        s3.region(),
        "connectTimeout",
        Quantities.format(s3.connectTimeout()),
        "ioTimeout",
        Quantities.format(s3.ioTimeout()),
        "requestTimeout",
        Quantities.format(s3.requestTimeout()),
        "attempts",
        s3.attempts(),
        "partSize",
        Quantities.formatBytes(s3.partSizeBytes()));
  }

  private static Map<String, Object> kafka(EbbConfig.Kafka kafka) {
    return switch (kafka) {
      case EbbConfig.Kafka.Embedded embedded ->
          section("embedded", section("port", embedded.port()));
      case EbbConfig.Kafka.Cluster cluster ->
          section(
              "bootstrapServers", cluster.bootstrapServers(),
              "replicationFactor", cluster.replicationFactor(),
              "minInsyncReplicas", cluster.minInsyncReplicas(),
              "properties", hidden(cluster.properties()),
              "unsafe", cluster.unsafe() ? true : null);
    };
  }

  private static @Nullable Map<String, Object> hidden(Map<String, String> properties) {
    if (properties.isEmpty()) {
      return null;
    }
    var shown = new LinkedHashMap<String, Object>();
    properties.forEach((key, value) -> shown.put(key, isSecret(key) ? HIDDEN : value));
    return shown;
  }

  private static boolean isSecret(String key) {
    return SECRET_KEY.matcher(key.toLowerCase(Locale.ROOT)).matches();
  }

  /** Keys and values in turn; a null value leaves its key out. */
  private static Map<String, Object> section(@Nullable Object... keysAndValues) {
    var section = new LinkedHashMap<String, Object>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      Object value = keysAndValues[i + 1];
      if (value != null) {
        section.put(String.valueOf(keysAndValues[i]), value);
      }
    }
    return section;
  }
}

package dev.ebb.launcher.config;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.gateway.pool.PoolMode;
import dev.ebb.gateway.pool.PoolRule;
import dev.ebb.gateway.pool.PoolTerms;
import dev.ebb.launcher.config.ConfigReader.Flag;
import dev.ebb.launcher.config.EbbConfig.Kafka;
import dev.ebb.launcher.config.EbbConfig.Store;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ConfigReaderTest {
  private static final long MEMORY_BYTES = 8L << 30;
  private static final Map<String, String> ENVIRONMENT =
      Map.of(
          "AWS_ACCESS_KEY_ID",
          "key-1",
          "AWS_SECRET_ACCESS_KEY",
          "hush",
          "EBB_TOKEN",
          "hush-hush-hush-hush");

  @TempDir private Path directory;

  private final ConfigReader reader = new ConfigReader(Map.of(), MEMORY_BYTES);

  private Path file(String yaml) throws IOException {
    return Files.writeString(directory.resolve("ebb.yaml"), yaml);
  }

  private List<String> violations(String yaml, Flag... flags) throws IOException {
    Path file = file(yaml);
    ConfigException error =
        catchThrowableOfType(ConfigException.class, () -> reader.read(file, List.of(flags)));
    assertThat(error).as("refused").isNotNull();
    return error.violations();
  }

  @Test
  void noFileGivesTheDefaults() throws Exception {
    EbbConfig config = reader.read(null, List.of());

    assertThat(config.gateway().port()).isEqualTo(6432);
    assertThat(config.api().httpPort()).isEqualTo(8432);
    assertThat(config.scaler().idleTimeout()).isEqualTo(Duration.ofMinutes(5));
    assertThat(config.kafka()).isEqualTo(new Kafka.Embedded(0));
    assertThat(config.store()).isEqualTo(new Store.Local(config.dataDir().resolve("store")));
    assertThat(config.compute().memoryBudgetBytes()).isEqualTo(MEMORY_BYTES / 2);
  }

  @Test
  void fullFileIsShownAsTheGoldenText() throws Exception {
    Path certificate = Files.writeString(directory.resolve("tls.pem"), "");
    Path key = Files.writeString(directory.resolve("tls.key"), "");
    String golden =
        """
        dataDir: /var/lib/ebb
        gateway:
          host: 0.0.0.0
          port: 5432
          tls:
            certificate: %s
            privateKey: %s
          requireTls: true
          maxConnections: 50
          domain: db.example.com
          clientCaFile: %s
          requireClientCertificate: true
          computeCaFile: %s
          limits:
            connectionsPerAddress: 10/s
            connectionsPerDatabase: 100/s
            failedLoginsPerAddress: 5/m
            failedLoginsPerDatabase: 50/h
            wakesPerAddress: 0
            wakesPerDatabase: 7/d
          pool:
            port: 7000
            mode: session
            size: 10
            minimum: 2
            maxPerBranch: 20
            maxInAll: 100
            waitTimeout: 5s
            idleTimeout: 1m
            lifetime: 30m
            maxPreparedStatements: 50
            warmQuery: SELECT 2
            databases:
              shop:
                mode: transaction
                size: 5
                minimum: 0
                roles:
                  reports:
                    mode: session
                    size: 3
                    minimum: 1
          drainTimeout: 30s
          sharePort: false
        api:
          host: 127.0.0.1
          httpPort: 8000
        store:
          s3:
            endpoint: http://127.0.0.1:9000
            bucket: pages
            prefix: ebb/one
            region: eu-central-1
            connectTimeout: 2s
            ioTimeout: 500ms
            requestTimeout: 1m
            attempts: 4
            partSize: 8MB
          delay: 50ms
        kafka:
          bootstrapServers: "k1:9092,k2:9092"
          replicationFactor: 3
          minInsyncReplicas: 2
          properties:
            security.protocol: SASL_SSL
            sasl.jaas.config: '***'
        hazelcast:
          host: 10.0.0.1
          port: 5701
          members:
          - 10.0.0.1:5701
          - 10.0.0.2:5701
        bus:
          host: 10.0.0.1
          port: 0
        compute:
          host: 10.0.0.1
          memoryBudget: 4GB
          computeMemory: 512MB
          maxConnections: 40
          osUser: ebb
          cacheDir: /var/cache/ebb
          captureWal: 16MB
          captureInterval: 30s
          preparedStarts: 8
          tls:
            certificate: %s
            privateKey: %s
        page:
          l1: 64MB
          l2: 0
          pitrWindow: 3d
          gcInterval: 30m
          gcGrace: 90m
        wal:
          archiveWal: 8MB
          archiveAge: 1m
          primaryTimeout: 20s
          sender:
            host: 10.0.0.1
            port: 7000
            timeout: 30s
        scaler:
          idleTimeout: 90s
        service:
          host: 127.0.0.1
          httpPort: 9100
        """
            .formatted(certificate, key, certificate, certificate, certificate, key);

    var config = new ConfigReader(ENVIRONMENT, MEMORY_BYTES).read(file(golden), List.of());

    // The writer chooses its quotes.
    assertThat(ConfigPrinter.yaml(config).replaceAll("[\"']", ""))
        .isEqualTo(golden.stripTrailing().replaceAll("[\"']", ""));
    assertThat(config.toString()).doesNotContain("hush");
    assertThat(ConfigPrinter.json(config)).doesNotContain("hush");
  }

  @Test
  void shownConfigurationReadsBackTheSame() throws Exception {
    EbbConfig config =
        reader.read(null, List.of(new Flag("--idle-timeout", "scaler.idleTimeout", "0")));

    assertThat(reader.read(file(ConfigPrinter.yaml(config)), List.of())).isEqualTo(config);
    assertThat(reader.read(file(ConfigPrinter.json(config)), List.of())).isEqualTo(config);
  }

  @Test
  void gatewaysAccessIsOpenAndLimitedUnlessToldOtherwise() throws Exception {
    EbbConfig.Gateway gateway = reader.read(null, List.of()).gateway();

    assertThat(gateway.domain()).isNull();
    assertThat(gateway.clientCaFile()).isNull();
    assertThat(gateway.limits().failedLoginsPerAddress())
        .isEqualTo(new EbbConfig.Rate(120, Duration.ofMinutes(1)));
    assertThat(
            violations(
                "gateway: {domain: a..b, requireClientCertificate: true, clientCaFile: /no/file,"
                    + " limits: {wakesPerAddress: 5}}"))
        .hasSize(3);
  }

  @Test
  void poolsTermsAreThoseOfTheRoleElseOfTheDatabaseElseOfAll() throws Exception {
    EbbConfig config =
        reader.read(
            file(
                """
                gateway:
                  pool:
                    port: 7000
                    size: 30
                    databases:
                      shop: {size: 5, roles: {reports: {mode: session, size: 2}}}
                """),
            List.of());
    PoolConfig pool = requireNonNull(config.gateway().pool()).config();
    assertThat(pool.terms()).isEqualTo(new PoolTerms(PoolMode.TRANSACTION, 30, 0));
    assertThat(pool.rules())
        .containsExactly(
            new PoolRule("shop", "reports", new PoolTerms(PoolMode.SESSION, 2, 0)),
            new PoolRule("shop", null, new PoolTerms(PoolMode.TRANSACTION, 5, 0)));
    assertThat(reader.read(file(ConfigPrinter.yaml(config)), List.of())).isEqualTo(config);
    assertThat(violations("gateway: {pool: {port: 1, databases: {shop: {mode: fast}}}}"))
        .containsExactly(
            "gateway.pool.databases.shop.mode: expected transaction or session, found fast");
  }

  @Test
  void senderOfWalIsOnUnlessItIsSwitchedOff() throws Exception {
    assertThat(reader.read(null, List.of()).wal().sender())
        .isEqualTo(new EbbConfig.Sender("127.0.0.1", null, Duration.ofMinutes(1)));
    EbbConfig off = reader.read(file("wal: {sender: {enabled: false}}"), List.of());
    assertThat(off.wal().sender()).isNull();
    assertThat(reader.read(file(ConfigPrinter.yaml(off)), List.of())).isEqualTo(off);
    assertThat(violations("wal: {sender: {timeout: 10ms, port: 70000}}")).hasSize(2);
  }

  @Test
  void flagOutranksTheFile() throws Exception {
    EbbConfig config =
        reader.read(
            file("gateway: {port: 1111, host: 127.0.0.2}"),
            List.of(new Flag("--port", "gateway.port", "2222")));

    assertThat(config.gateway().port()).isEqualTo(2222);
    assertThat(config.gateway().host()).isEqualTo("127.0.0.2");
  }

  @Test
  void graceOfCollectionHasAMinimum() throws Exception {
    assertThat(reader.read(null, List.of()).page().gcGrace()).isEqualTo(Duration.ofHours(1));
    assertThat(reader.read(file("page: {gcGrace: 10m}"), List.of()).page().gcGrace())
        .isEqualTo(Duration.ofMinutes(10));
    assertThat(violations("page: {gcGrace: 599s}"))
        .singleElement()
        .asString()
        .contains("page.gcGrace")
        .contains("is shorter than 10m");
  }

  @Test
  void whatCommitsDependOnIsNotLeftToTheConfiguration() throws Exception {
    assertThat(
            violations(
                "kafka: {bootstrapServers: [\"k:9092\"], properties: {acks: \"1\", client.id: x}}"))
        .containsExactly("kafka.properties.acks: is Ebb's own to set: commits depend on it");
  }

  @Test
  void everyViolationIsToldAtOnce() throws Exception {
    assertThat(
            violations(
                """
                gateway: {port: 70000, prot: 1}
                scaler: {idleTimeout: soon}
                compute: {computeMemory: 1MB, memoryBudget: lots}
                kafka: {bootstrapServers: nowhere, replicationFactor: 1, minInsyncReplicas: 2}
                store: {s3: {endpoint: "ftp://x", prefix: /x, ioTimeout: 1ms, partSize: 1MB, attempts: 0}}
                """,
                new Flag("--http-port", "api.httpPort", "eighty")))
        .containsExactlyInAnyOrder(
            "gateway.port: \"70000\" is not a whole number from 0 to 65535",
            "gateway.prot: no such key; did you mean port?",
            "scaler.idleTimeout: \"soon\" is not a duration such as 30s, 5m or 2h (0: never)",
            "compute.computeMemory: 1MB is too small: at least 64MB",
            "compute.memoryBudget: \"lots\" is not a size such as 256MB or 2GB",
            "kafka.bootstrapServers: \"nowhere\" is not host:port",
            "kafka.minInsyncReplicas: 2 is more than the replicationFactor 1",
            "store.s3.endpoint: \"ftp://x\" is not an http or https URL",
            "store.s3.endpoint: the environment variable AWS_ACCESS_KEY_ID is not set",
            "store.s3.endpoint: the environment variable AWS_SECRET_ACCESS_KEY is not set",
            "store.s3.bucket: is missing",
            "store.s3.prefix: \"/x\" is not a prefix such as ebb or team/ebb, with no slash at"
                + " either end",
            "store.s3.ioTimeout: 1ms is not between 100ms and 10m",
            "store.s3.partSize: 1MB is too small: at least 5MB",
            "store.s3.attempts: \"0\" is not a whole number from 1 to 10",
            "api.httpPort: \"eighty\" is not a whole number from 0 to 65535 (from --http-port)");
  }

  @Test
  void unknownSectionNamesTheNearest() throws Exception {
    assertThat(violations("gatway: {port: 1}"))
        .containsExactly("gatway: no such key; did you mean gateway?");
    assertThat(violations("scaler: {x: 1}"))
        .containsExactly("scaler.x: no such key; known here: idleTimeout");
  }

  @Test
  void contradictingChoicesAreRefused() throws Exception {
    assertThat(violations("kafka: {embedded: {port: 1}, bootstrapServers: \"h:1\"}"))
        .containsExactly("kafka.embedded: choose one of embedded and bootstrapServers");
    assertThat(violations("kafka: {replicationFactor: 3}"))
        .containsExactly(
            "kafka.replicationFactor: goes with bootstrapServers: the embedded broker stands"
                + " alone");
    assertThat(violations("gateway: {tls: {certificate: /nowhere/x.pem}}"))
        .containsExactly("gateway.tls: certificate and privateKey go together");
  }

  @Test
  void brokenFileIsToldWithItsPlace() throws Exception {
    assertThat(violations("gateway:\n  port: [1"))
        .singleElement()
        .asString()
        .contains("ebb.yaml:2:")
        .contains("not YAML");
    assertThat(violations("gateway: {port: 1}\ngateway: {port: 2}"))
        .singleElement()
        .asString()
        .contains("not YAML");
    assertThat(violations("- 1")).singleElement().asString().contains("expected sections");
    assertThat(violations("gateway: 5"))
        .containsExactly("gateway: expected a section with keys of its own");
  }

  @Test
  void shortClusterSecretIsRefusedWithoutShowingIt() {
    var careless = new ConfigReader(Map.of("EBB_CLUSTER_SECRET", "short"), MEMORY_BYTES);

    ConfigException error =
        catchThrowableOfType(ConfigException.class, () -> careless.read(null, List.of()));

    assertThat(error).hasMessageContaining("EBB_CLUSTER_SECRET is shorter than 16");
    assertThat(error.getMessage()).doesNotContain("\"short\"");
  }

  @Test
  void missingFileIsTold() {
    ConfigException error =
        catchThrowableOfType(
            ConfigException.class, () -> reader.read(directory.resolve("none.yaml"), List.of()));

    assertThat(error).hasMessageContaining("none.yaml: cannot be read");
  }

  @Test
  void emptyFileGivesTheDefaults() throws Exception {
    assertThat(reader.read(file(""), List.of())).isEqualTo(reader.read(null, List.of()));
  }
}

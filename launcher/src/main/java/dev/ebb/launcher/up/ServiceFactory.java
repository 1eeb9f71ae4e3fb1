package dev.ebb.launcher.up;

import dev.ebb.computeservice.ComputeService;
import dev.ebb.computeservice.ComputeServiceConfig;
import dev.ebb.computeservice.postgres.PostgresTls;
import dev.ebb.gateway.GatewayAccess;
import dev.ebb.gateway.GatewayConfig;
import dev.ebb.gateway.GatewayService;
import dev.ebb.gateway.api.ApiConfig;
import dev.ebb.gateway.api.ApiConfig.ReadinessCheck;
import dev.ebb.gateway.api.ApiService;
import dev.ebb.gateway.limit.LimitRates;
import dev.ebb.gateway.limit.Rate;
import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.pageservice.PageService;
import dev.ebb.pageservice.PageServiceConfig;
import dev.ebb.scalerservice.ScalerConfig;
import dev.ebb.scalerservice.ScalerService;
import dev.ebb.shared.scram.WalToken;
import dev.ebb.walservice.WalService;
import dev.ebb.walservice.WalServiceConfig;
import dev.ebb.walservice.archive.ArchiveLimits;
import dev.ebb.walservice.broker.EmbeddedBroker;
import dev.ebb.walservice.send.WalSenderConfig;
import dev.ebb.walservice.topic.KafkaConfig;
import io.micrometer.core.instrument.Gauge;
import io.vertx.core.Deployable;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Makes services from the configuration: the only place that knows all of them. */
final class ServiceFactory {
  private static final long MEBIBYTE = 1024 * 1024;

  private final Foundation foundation;
  private final EbbConfig config;

  ServiceFactory(Foundation foundation) {
    this.foundation = foundation;
    this.config = foundation.config();
    Gauge.builder("ebb.cluster.members", foundation.cluster(), Cluster::members)
        .description("Members of the cluster as this process sees it, itself included")
        .strongReference(true)
        .register(foundation.meters());
  }

  Deployable page() {
    var defaults = PageServiceConfig.defaults();
    return new PageService(
        foundation.store(),
        foundation.cluster().hazelcast(),
        new PageServiceConfig(
            config.page().l1Bytes(),
            defaults.objectCacheBytes(),
            (int) (config.page().l2Bytes() / MEBIBYTE),
            defaults.sharedCacheTimeoutMs(),
            defaults.packBytes(),
            defaults.captureBufferBytes(),
            defaults.captureIdleMs(),
            defaults.compressionLevel(),
            config.page().pitrWindow().toMillis(),
            config.page().gcInterval().toMillis(),
            config.page().gcGrace().toMillis()),
        foundation.meters());
  }

  Deployable wal() {
    var limits = new ArchiveLimits(config.wal().archiveWalBytes(), config.wal().archiveAge());
    WalServiceConfig wal =
        walConfig().withArchive(limits).withPrimaryTimeout(config.wal().primaryTimeout());
    EbbConfig.Sender sender = config.wal().sender();
    return new WalService(
        foundation.store(),
        sender == null ? wal : wal.withSender(senderConfig(sender)),
        foundation.meters());
  }

  private WalSenderConfig senderConfig(EbbConfig.Sender sender) {
    Integer wanted = sender.port();
    var defaults =
        WalSenderConfig.of(
            sender.host(),
            wanted == null ? EbbConfig.Sender.DEFAULT_PORT : wanted,
            WalToken.of(foundation.clusterSecret()));
    return new WalSenderConfig(
        defaults.host(),
        defaults.port(),
        wanted == null,
        defaults.token(),
        sender.timeout(),
        defaults.maxSenders());
  }

  private WalServiceConfig walConfig() {
    Path spool = foundation.directory().resolve("spool");
    EmbeddedBroker embedded = foundation.broker().embedded();
    if (embedded != null) {
      return WalServiceConfig.embedded(embedded, spool);
    }
    EbbConfig.Kafka.Cluster kafka = foundation.broker().address();
    return WalServiceConfig.of(
        new KafkaConfig(
            kafka.bootstrapServers(),
            kafka.properties(),
            kafka.replicationFactor(),
            kafka.minInsyncReplicas(),
            // Nobody else has a copy.
            kafka.replicationFactor() == 1,
            kafka.unsafe()),
        spool);
  }

  Deployable compute() {
    EbbConfig.Compute compute = config.compute();
    EbbConfig.Tls tls = compute.tls();
    var cacheDir =
        compute.cacheDir() == null
            ? CacheDirectory.choose(foundation.directory())
            : compute.cacheDir();
    var defaults =
        ComputeServiceConfig.of(
            cacheDir, foundation.clusterSecret(), (int) (compute.memoryBudgetBytes() / MEBIBYTE));
    return new ComputeService(
        foundation.store(),
        new ComputeServiceConfig(
            cacheDir,
            compute.osUser(),
            compute.host(),
            defaults.memoryBudgetMb(),
            (int) (compute.computeMemoryBytes() / MEBIBYTE),
            compute.maxConnections(),
            foundation.clusterSecret(),
            compute.captureWalBytes(),
            compute.captureInterval().toMillis(),
            compute.preparedStarts(),
            compute.localCacheBytes(),
            defaults.startTimeoutMs(),
            defaults.stopTimeoutMs(),
            config.page().pitrWindow().toMillis(),
            tls == null ? null : new PostgresTls(tls.certificate(), tls.privateKey())),
        foundation.meters());
  }

  Deployable gateway() {
    EbbConfig.Gateway gateway = config.gateway();
    EbbConfig.Tls tls = gateway.tls();
    var defaults = GatewayConfig.of(gateway.port(), foundation.directory().resolve("tls"));
    var alone =
        new GatewayConfig(
            gateway.host(),
            gateway.port(),
            defaults.tlsDirectory(),
            tls == null ? null : tls.certificate(),
            tls == null ? null : tls.privateKey(),
            gateway.requireTls(),
            defaults.loginTimeoutMs(),
            defaults.wakeTimeoutMs(),
            defaults.maxUnauthenticated(),
            gateway.maxConnections(),
            defaults.eventLoops(),
            access(gateway));
    EbbConfig.Pool pool = gateway.pool();
    return new GatewayService(
        foundation.store(),
        pool == null ? alone : alone.withPool(pool.port(), pool.config()),
        foundation.meters());
  }

  private static GatewayAccess access(EbbConfig.Gateway gateway) {
    EbbConfig.Limits limits = gateway.limits();
    return new GatewayAccess(
        gateway.domain(),
        gateway.clientCaFile(),
        gateway.requireClientCertificate(),
        gateway.computeCaFile(),
        new LimitRates(
            rate(limits.connectionsPerAddress()),
            rate(limits.connectionsPerDatabase()),
            rate(limits.failedLoginsPerAddress()),
            rate(limits.failedLoginsPerDatabase()),
            rate(limits.wakesPerAddress()),
            rate(limits.wakesPerDatabase())));
  }

  private static Rate rate(EbbConfig.Rate rate) {
    return new Rate(rate.count(), rate.per());
  }

  Deployable api() {
    EbbConfig.Api api = config.api();
    return new ApiService(
        foundation.store(),
        new ApiConfig(
            api.host(),
            api.httpPort(),
            foundation.apiToken(),
            List.of(new ReadinessCheck("cluster", this::clusterIsSafe))),
        foundation.meters());
  }

  Deployable scaler() {
    return new ScalerService(
        new ScalerConfig(
            config.scaler().idleTimeout(),
            Map.of(),
            ScalerConfig.DEFAULT_TICK,
            kafkaProperties(),
            foundation.broker().address().replicationFactor()),
        foundation.meters());
  }

  /** Asked on a thread of its own: Hazelcast looks around among the members. */
  private Future<?> clusterIsSafe() {
    Promise<Void> answer = Promise.promise();
    Thread.ofVirtual()
        .start(() -> {
          if (foundation.cluster().isSafe()) {
            answer.complete();
          } else {
            answer.fail("the cluster's data is not safe: members come or go");
          }
        });
    return answer.future();
  }

  private Map<String, String> kafkaProperties() {
    var properties = new HashMap<String, String>(foundation.broker().address().properties());
    properties.put("bootstrap.servers", foundation.broker().address().bootstrapServers());
    return properties;
  }
}

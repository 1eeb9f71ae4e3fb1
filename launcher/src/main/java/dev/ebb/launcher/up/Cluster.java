package dev.ebb.launcher.up;

import com.hazelcast.config.Config;
import com.hazelcast.config.JoinConfig;
import com.hazelcast.config.MapConfig;
import com.hazelcast.config.MultiMapConfig;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastException;
import com.hazelcast.core.HazelcastInstance;
import dev.ebb.gateway.listen.SharedPortTransport;
import dev.ebb.launcher.config.EbbConfig;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.eventbus.EventBusOptions;
import io.vertx.spi.cluster.hazelcast.HazelcastClusterManager;
import java.time.Duration;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** This process as a member: Hazelcast, and over it the event bus. */
record Cluster(HazelcastInstance hazelcast, Vertx vertx) {
  private static final Logger log = LoggerFactory.getLogger(Cluster.class);
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final String NAME = "ebb";
  private static final String MEMBER_TIMEOUT_SECONDS = "10";
  private static final String OUTPUT_THREADS = "32";

  /** How the event bus knows its member. Source: HazelcastClusterManager of vertx-hazelcast. */
  private static final String NODE_ID = "__vertx.nodeId";

  /** Joins the members that are configured; without any, the member stands alone. */
  static Cluster join(EbbConfig config) throws StartException {
    HazelcastInstance hazelcast;
    try {
      hazelcast = Hazelcast.newHazelcastInstance(hazelcastConfig(config.hazelcast()));
    } catch (HazelcastException | IllegalStateException e) {
      throw new StartException(
          "the cluster member does not start (hazelcast.port "
              + config.hazelcast().port()
              + ", hazelcast.host "
              + config.hazelcast().host()
              + "): "
              + e.getMessage(),
          e);
    }
    Membership.tell(hazelcast);
    try {
      Vertx vertx =
          Futures.await(
              Vertx.builder()
                  .with(new VertxOptions().setEventBusOptions(bus(config.bus())))
                  .withTransport(SharedPortTransport.create())
                  .withClusterManager(new HazelcastClusterManager(hazelcast))
                  .buildClustered(),
              START_TIMEOUT);
      return new Cluster(hazelcast, vertx);
    } catch (Exception e) { // whatever the future failed with
      hazelcast.shutdown();
      throw new StartException(
          "the event bus does not start (bus.host "
              + config.bus().host()
              + ", bus.port "
              + config.bus().port()
              + "): "
              + e.getMessage(),
          e);
    }
  }

  private static EventBusOptions bus(EbbConfig.Bus bus) {
    return new EventBusOptions().setHost(bus.host()).setPort(bus.port());
  }

  private static Config hazelcastConfig(EbbConfig.Hazelcast settings) {
    var config = new Config();
    config.setClusterName(NAME);
    config
        .setProperty("hazelcast.shutdownhook.enabled", "false")
        .setProperty("hazelcast.phone.home.enabled", "false")
        .setProperty("hazelcast.logging.type", "slf4j")
        .setProperty("hazelcast.socket.bind.any", "false")
        .setProperty("hazelcast.wait.seconds.before.join", "1")
        // A member that hangs holds up whoever needs what it keeps of the bus's addresses: 60 s
        // unless set. One that was expelled and goes on comes back as soon.
        .setProperty("hazelcast.heartbeat.interval.seconds", "1")
        .setProperty("hazelcast.max.no.heartbeat.seconds", MEMBER_TIMEOUT_SECONDS)
        // A connection to a member that hangs keeps the thread that writes to it busy until the
        // member is expelled (hazelcast/hazelcast#26473: NioOutboundPipeline takes itself for
        // unfinished, again and again). What else that thread writes waits: heartbeats to members
        // that are well, of whom one has yet to agree to a new master. So each connection gets a
        // thread, and what members have to agree to is asked for at short intervals.
        .setProperty("hazelcast.io.output.thread.count", OUTPUT_THREADS)
        .setProperty("hazelcast.invocation.retry.pause.millis", "50")
        .setProperty("hazelcast.invocation.max.retry.count", "2500") // for as long as before
        .setProperty("hazelcast.merge.first.run.delay.seconds", MEMBER_TIMEOUT_SECONDS)
        .setProperty("hazelcast.merge.next.run.delay.seconds", MEMBER_TIMEOUT_SECONDS);
    config.getMemberAttributeConfig().setAttribute(NODE_ID, UUID.randomUUID().toString());
    // What the event bus keeps. Source: default-cluster.xml of vertx-hazelcast.
    config.addMultiMapConfig(
        new MultiMapConfig("__vertx.subs")
            .setBackupCount(1)
            .setValueCollectionType(MultiMapConfig.ValueCollectionType.SET));
    config.addMapConfig(new MapConfig("__vertx.haInfo").setBackupCount(1));
    config.addMapConfig(new MapConfig("__vertx.nodeInfo").setBackupCount(1));

    var network = config.getNetworkConfig();
    network.setPort(settings.port()).setPortAutoIncrement(settings.port() != 0);
    network.getInterfaces().setEnabled(true).addInterface(settings.host());
    JoinConfig join = network.getJoin();
    join.getMulticastConfig().setEnabled(false);
    join.getAutoDetectionConfig().setEnabled(false);
    join.getTcpIpConfig().setEnabled(!settings.members().isEmpty());
    settings.members().forEach(join.getTcpIpConfig()::addMember);
    return config;
  }

  /**
   * Whether the member is in touch with the others and nothing of the cluster's data is at risk.
   */
  boolean isSafe() {
    return hazelcast.getLifecycleService().isRunning()
        && hazelcast.getPartitionService().isClusterSafe();
  }

  /** How many members this one sees, itself included. */
  int members() {
    return hazelcast.getLifecycleService().isRunning()
        ? hazelcast.getCluster().getMembers().size()
        : 0;
  }

  /** Leaves the cluster, within the bound. */
  void leave(Duration bound) {
    try {
      Futures.await(vertx.close(), bound);
    } catch (Exception e) { // whatever the future failed with
      log.warn("the event bus did not close in time", e);
    }
    hazelcast.shutdown();
  }
}

package dev.ebb.pageservice;

import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.shared.store.S3ObjectStore;
import dev.ebb.shared.store.S3TestServer;
import org.junit.jupiter.api.AfterAll;

/** With the second cache tier, as a service of several members has it. */
final class PageServiceS3IT extends PageServiceContract {
  private static final S3TestServer server = new S3TestServer();
  private static final HazelcastInstance hazelcast = member();

  private static HazelcastInstance member() {
    var config = new Config();
    config.setClusterName("page-service-it");
    config.setProperty("hazelcast.phone.home.enabled", "false");
    config.setProperty("hazelcast.logging.type", "slf4j");
    config.setProperty("hazelcast.shutdownhook.enabled", "false");
    config.getNetworkConfig().getInterfaces().setEnabled(true).addInterface("127.0.0.1");
    config.getNetworkConfig().setPort(0);
    config.getNetworkConfig().getJoin().getMulticastConfig().setEnabled(false);
    config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
    return Hazelcast.newHazelcastInstance(config);
  }

  @AfterAll
  static void stop() {
    hazelcast.shutdown();
    server.close();
  }

  @Override
  ObjectStore openStore() {
    return new S3ObjectStore(server.newBucket());
  }

  @Override
  HazelcastInstance hazelcast() {
    return hazelcast;
  }
}

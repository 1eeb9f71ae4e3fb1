package dev.ebb.pageservice;

import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import java.util.ArrayList;
import java.util.List;

/** Hazelcast members for tests. */
public final class Members {
  private Members() {}

  /** One on loopback that looks for no others. */
  public static HazelcastInstance alone(String cluster) {
    return Hazelcast.newHazelcastInstance(config(cluster));
  }

  /** Three on loopback that have found each other. */
  public static List<HazelcastInstance> three(String cluster) {
    List<HazelcastInstance> members = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      Config config = config(cluster);
      config.setProperty("hazelcast.wait.seconds.before.join", "0");
      var join = config.getNetworkConfig().getJoin().getTcpIpConfig().setEnabled(true);
      for (HazelcastInstance other : members) {
        join.addMember("127.0.0.1:" + other.getCluster().getLocalMember().getAddress().getPort());
      }
      members.add(Hazelcast.newHazelcastInstance(config));
    }
    Await.until(
        "three members",
        () ->
            members.stream().allMatch(member -> member.getCluster().getMembers().size() == 3)
                && members.getFirst().getPartitionService().isClusterSafe());
    return members;
  }

  private static Config config(String cluster) {
    var config = new Config();
    config.setClusterName(cluster);
    config.setProperty("hazelcast.phone.home.enabled", "false");
    config.setProperty("hazelcast.logging.type", "slf4j");
    config.setProperty("hazelcast.shutdownhook.enabled", "false");
    config.getNetworkConfig().getInterfaces().setEnabled(true).addInterface("127.0.0.1");
    config.getNetworkConfig().setPort(0);
    config.getNetworkConfig().getJoin().getMulticastConfig().setEnabled(false);
    config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
    return config;
  }
}

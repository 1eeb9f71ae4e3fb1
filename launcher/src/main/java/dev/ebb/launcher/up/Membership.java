package dev.ebb.launcher.up;

import com.hazelcast.core.HazelcastInstance;
import com.hazelcast.core.LifecycleEvent;
import com.hazelcast.core.LifecycleListener;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells when this process was taken for dead by the others: it stood still, or was cut off, for
 * longer than they wait (what they have to say of that, Hazelcast says). It goes on as a cluster of
 * its own then, until Hazelcast finds the others and joins them again. Nothing depends on what it
 * did meanwhile: its logs were fenced in Kafka, and heads change by compare-and-set.
 */
final class Membership implements LifecycleListener {
  private static final Logger log = LoggerFactory.getLogger(Membership.class);

  private final HazelcastInstance hazelcast;

  private Membership(HazelcastInstance hazelcast) {
    this.hazelcast = hazelcast;
  }

  /** From now on. */
  static void tell(HazelcastInstance hazelcast) {
    var membership = new Membership(hazelcast);
    var _ = hazelcast.getLifecycleService().addLifecycleListener(membership);
  }

  @Override
  public void stateChanged(LifecycleEvent event) {
    switch (event.getState()) {
      case MERGING ->
          log.warn(
              "the cluster took this process for dead: it stood still, or was cut off, for too long;"
                  + " it joins again");
      case MERGED ->
          log.warn(
              "this process joined the cluster again: {} members",
              hazelcast.getCluster().getMembers().size());
      case MERGE_FAILED -> log.error("this process could not join the cluster again; it tries on");
      case STARTING,
          STARTED,
          SHUTTING_DOWN,
          SHUTDOWN,
          CLIENT_CONNECTED,
          CLIENT_DISCONNECTED,
          CLIENT_CHANGED_CLUSTER ->
          log.debug("the cluster member: {}", event.getState());
    }
  }
}

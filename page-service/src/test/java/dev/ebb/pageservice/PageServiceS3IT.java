package dev.ebb.pageservice;

import com.hazelcast.core.HazelcastInstance;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.shared.store.S3ObjectStore;
import dev.ebb.shared.store.S3TestServer;
import org.junit.jupiter.api.AfterAll;

/** With the second cache tier, as a service of several members has it. */
final class PageServiceS3IT extends PageServiceContract {
  private static final S3TestServer server = new S3TestServer();
  private static final HazelcastInstance hazelcast = Members.alone("page-service-it");

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

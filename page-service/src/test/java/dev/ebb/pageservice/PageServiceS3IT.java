package dev.ebb.pageservice;

import com.hazelcast.core.HazelcastInstance;
import dev.ebb.shared.store.ObjectStore;
import dev.ebb.shared.store.S3ObjectStore;
import dev.ebb.shared.store.S3TestServer;
import java.util.List;
import org.junit.jupiter.api.AfterAll;

/** With the second cache tier, as a service of several members has it. */
final class PageServiceS3IT extends PageServiceContract {
  private static final S3TestServer server = new S3TestServer();
  private static final List<HazelcastInstance> members = Members.three("page-service-it");

  @AfterAll
  static void stop() {
    members.forEach(member -> member.getLifecycleService().terminate());
    server.close();
  }

  @Override
  ObjectStore openStore() {
    return new S3ObjectStore(server.newBucket());
  }

  @Override
  HazelcastInstance hazelcast() {
    return members.getFirst();
  }
}

package dev.ebb.launcher.up;

import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.launcher.config.EbbConfig.Kafka;
import dev.ebb.shared.error.EbbException;
import dev.ebb.walservice.broker.EmbeddedBroker;
import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Kafka: a broker in this process, or a cluster that is only named.
 *
 * @param embedded null where it is elsewhere
 */
record Broker(Kafka.Cluster address, @Nullable EmbeddedBroker embedded) implements AutoCloseable {

  /** Starts the broker where it is to run in this process. */
  static Broker start(EbbConfig config, Path directory) throws StartException {
    return switch (config.kafka()) {
      case Kafka.Cluster cluster -> new Broker(cluster, null);
      case Kafka.Embedded embedded -> {
        var broker = new EmbeddedBroker(directory.resolve("kafka"), embedded.port());
        try {
          broker.start();
        } catch (EbbException e) {
          throw new StartException(String.valueOf(e.getMessage()), e);
        }
        yield new Broker(
            new Kafka.Cluster(broker.bootstrapServers(), 1, 1, Map.of(), false), broker);
      }
    };
  }

  @Override
  public void close() {
    if (embedded != null) {
      embedded.close();
    }
  }
}

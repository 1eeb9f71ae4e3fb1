package dev.ebb.launcher.up;

import dev.ebb.launcher.config.EbbConfig;
import dev.ebb.launcher.config.EbbConfig.Kafka;
import java.nio.file.Path;

/** Kafka: the broker in this process, or one elsewhere that is only named. */
record Broker(Kafka.Cluster address, AutoCloseable embedded) implements AutoCloseable {

  static Broker start(EbbConfig config, Path directory) throws StartException {
    return switch (config.kafka()) {
      case Kafka.Cluster cluster -> new Broker(cluster, () -> {});
      case Kafka.Embedded embedded -> throw new StartException("not yet " + embedded + directory);
    };
  }

  @Override
  public void close() {
    try {
      embedded.close();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}

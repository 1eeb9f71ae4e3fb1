package dev.ebb.launcher.process;

import dev.ebb.walservice.broker.EmbeddedBroker;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;

/** A JVM that is a Kafka broker, so that a test can stop it without stopping itself. */
public final class BrokerProcess {
  /** What it prints once it answers, before its address. */
  public static final String UP = "Kafka is at ";

  private BrokerProcess() {}

  /** Word: its directory. */
  public static void main(String[] words) throws InterruptedException {
    try (var broker = new EmbeddedBroker(Path.of(words[0]), 0)) {
      broker.start();
      System.out.println(UP + broker.bootstrapServers());
      new CountDownLatch(1).await();
    }
  }
}

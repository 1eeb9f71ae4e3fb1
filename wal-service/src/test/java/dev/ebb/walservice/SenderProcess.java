package dev.ebb.walservice;

import dev.ebb.shared.bus.BlockingBus;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.store.LocalObjectStore;
import dev.ebb.walservice.receive.Receiver;
import dev.ebb.walservice.send.WalSenderConfig;
import dev.ebb.walservice.topic.KafkaConfig;
import dev.ebb.walservice.topic.KafkaTopics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.util.Map;

/**
 * A WAL service in a process of its own, which may be killed. Arguments: Kafka, branch, system
 * identifier, port, token, directory.
 */
final class SenderProcess {
  private SenderProcess() {}

  public static void main(String[] arguments) {
    var branch = new BranchId(arguments[1]);
    long systemIdentifier = Long.parseLong(arguments[2]);
    var config =
        WalServiceConfig.of(
                new KafkaConfig(arguments[0], Map.of(), 1, 1, true, true), Path.of(arguments[5]))
            .withSender(
                WalSenderConfig.of(
                    "127.0.0.1", Integer.parseInt(arguments[3]), new Secret(arguments[4])));
    var service =
        new WalService(
            new LocalObjectStore(Path.of(arguments[5], "store")),
            config,
            new WalService.Outside(
                () -> new KafkaTopics(config.kafka(), config.local()),
                Receiver.Connector.real(config.primaryTimeout()),
                user -> StandbyIT.served(branch, user, systemIdentifier, Lsn.INVALID)),
            new SimpleMeterRegistry());
    BlockingBus.await(Vertx.vertx().deployVerticle(service), 30_000);
  }
}

package dev.ebb.shared.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.hazelcast.cluster.Member;
import com.hazelcast.config.Config;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.FileKey;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.DeliveryOptions;
import io.vertx.core.eventbus.EventBusOptions;
import io.vertx.core.eventbus.MessageCodec;
import io.vertx.spi.cluster.hazelcast.HazelcastClusterManager;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Between members the codec really encodes: within one process the very object is handed on. */
final class BusClusterIT {
  private static final HazelcastClusterManager first = manager(List.of());
  private static final Vertx one = member(first);
  private static final Vertx two = member(manager(List.of(addressOf(first))));

  private static String addressOf(HazelcastClusterManager manager) {
    Member member = manager.getHazelcastInstance().getCluster().getLocalMember();
    return "127.0.0.1:" + member.getAddress().getPort();
  }

  /** Its port is whichever is free when it starts: one chosen before could be taken by then. */
  private static HazelcastClusterManager manager(List<String> others) {
    var config = new Config();
    config.setClusterName("bus-cluster-it");
    config.setProperty("hazelcast.phone.home.enabled", "false");
    config.setProperty("hazelcast.shutdownhook.enabled", "false");
    config.setProperty("hazelcast.logging.type", "slf4j");
    config.getNetworkConfig().setPort(0);
    config.getNetworkConfig().getInterfaces().setEnabled(true).addInterface("127.0.0.1");
    var join = config.getNetworkConfig().getJoin();
    join.getMulticastConfig().setEnabled(false);
    join.getAutoDetectionConfig().setEnabled(false);
    join.getTcpIpConfig().setEnabled(true).setMembers(others);
    return new HazelcastClusterManager(config);
  }

  private static Vertx member(HazelcastClusterManager manager) {
    var options = new VertxOptions().setEventBusOptions(new EventBusOptions().setHost("127.0.0.1"));
    try {
      return Vertx.builder()
          .with(options)
          .withClusterManager(manager)
          .buildClustered()
          .await(60, TimeUnit.SECONDS);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  @AfterAll
  static void stop() throws Exception {
    one.close().await(30, TimeUnit.SECONDS);
    two.close().await(30, TimeUnit.SECONDS);
  }

  private static void echo(String address) throws Exception {
    new Bus(two).answer(address, Future::succeededFuture).completion().await(30, TimeUnit.SECONDS);
  }

  private static BusMessage send(String address, BusMessage message) throws Exception {
    new Bus(one);
    return one.eventBus()
        .<BusMessage>request(address, message, new DeliveryOptions().setCodecName(BusCodec.NAME))
        .await(30, TimeUnit.SECONDS)
        .body();
  }

  @Test
  void everyMessageArrivesAtAnotherMemberAndBack() throws Exception {
    echo("echo");
    for (var entry : new TreeMap<>(MessageTags.all()).entrySet()) {
      BusMessage sample = Samples.of(entry.getValue());

      BusMessage back = send("echo", sample);

      assertThat(back).isNotSameAs(sample).usingRecursiveComparison().isEqualTo(sample);
    }
  }

  @Test
  void mebibyteOfPagesArrives() throws Exception {
    echo("echo-large");
    var pages = new byte[1 << 20];
    new Random(1).nextBytes(pages);
    var put =
        new PageMessage.PutPages(
            SnapshotId.random(),
            new FileKey(FileKey.Kind.RELATION, 1, 2, 0, 0),
            1,
            0,
            false,
            pages);

    var back = (PageMessage.PutPages) send("echo-large", put);

    assertThat(back.bytes()).isEqualTo(pages);
  }

  @Test
  void errorOfAnotherMemberIsTheCallersException() throws Exception {
    new Bus(two)
        .answer("fenced", m -> Future.failedFuture(new EbbException.Fenced("stop")))
        .completion()
        .await(30, TimeUnit.SECONDS);

    assertThatThrownBy(() ->
            new Bus(one)
                .request("fenced", new PageMessage.ReadManifest("k"), 10_000)
                .await(30, TimeUnit.SECONDS))
        .isInstanceOf(EbbException.Fenced.class)
        .hasMessage("stop");
  }

  /** Writes what no member of this version writes. */
  private static final class ForgingCodec implements MessageCodec<String, BusMessage> {
    @Override
    public void encodeToWire(Buffer buffer, String ignored) {
      buffer.appendByte((byte) 77);
    }

    @Override
    public BusMessage decodeFromWire(int position, Buffer buffer) {
      return new BusCodec().decodeFromWire(position, buffer);
    }

    @Override
    public BusMessage transform(String ignored) {
      throw new UnsupportedOperationException();
    }

    @Override
    public String name() {
      return "forging";
    }

    @Override
    public byte systemCodecID() {
      return -1;
    }
  }

  @Test
  void malformedMessageIsAnsweredWithAnErrorAndTheNextOneIsServed() throws Exception {
    echo("malformed");
    one.eventBus().registerCodec(new ForgingCodec());
    two.eventBus().registerCodec(new ForgingCodec());

    var answer =
        one.eventBus()
            .<BusMessage>request("malformed", "x", new DeliveryOptions().setCodecName("forging"))
            .await(30, TimeUnit.SECONDS)
            .body();

    assertThat(answer).isInstanceOf(Failure.class);
    assertThat(((Failure) answer).kind()).isEqualTo(Failure.Kind.INVALID);
    assertThat(send("malformed", new Ok())).isEqualTo(new Ok());
  }
}

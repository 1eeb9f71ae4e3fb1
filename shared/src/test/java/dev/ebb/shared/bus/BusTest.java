package dev.ebb.shared.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import io.vertx.core.Future;
import io.vertx.core.Promise;
import io.vertx.core.Vertx;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class BusTest {
  private static final PageMessage.ReadManifest ASK = new PageMessage.ReadManifest("key");

  private final Vertx vertx = Vertx.vertx();
  private final Bus bus = new Bus(vertx);

  @AfterEach
  void close() throws Exception {
    vertx.close().await(10, TimeUnit.SECONDS);
  }

  private PageMessage.ManifestBytes ask(long timeoutMs) throws Exception {
    return bus.request("there", ASK, timeoutMs).await(10, TimeUnit.SECONDS);
  }

  @Test
  void answerReachesTheCaller() throws Exception {
    bus.answer("there", m -> Future.succeededFuture(new PageMessage.ManifestBytes(new byte[3])));

    assertThat(ask(5_000).encoded()).hasSize(3);
  }

  @Test
  void whatTheHandlerThrowsOrFailsWithIsTheCallersException() {
    bus.answer(
        "there",
        m -> {
          throw new EbbException.Fenced("stop");
        });

    assertThatThrownBy(() -> ask(5_000)).isInstanceOf(EbbException.Fenced.class).hasMessage("stop");
  }

  @Test
  void everyKindOfErrorArrivesAsItself() {
    for (Failure.Kind kind : Failure.Kind.values()) {
      EbbException error = new Failure(kind, "why").toException();
      assertThat(Failure.of(error)).isEqualTo(new Failure(kind, "why"));
    }
    assertThat(Failure.of(new IllegalStateException("odd")).kind())
        .isEqualTo(Failure.Kind.UNAVAILABLE);
  }

  @Test
  void nobodyThereAndNobodyAnsweringAreUnavailable() {
    assertThatThrownBy(() -> ask(1_000))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("no service listens on there");

    bus.answer("there", m -> Promise.<Ok>promise().future());
    assertThatThrownBy(() -> ask(50))
        .isInstanceOf(EbbException.Unavailable.class)
        .hasMessageContaining("did not answer");
  }

  @Test
  void secondBusOnTheSameVertxIsFine() throws Exception {
    new Bus(vertx)
        .answer("there", m -> Future.succeededFuture(new PageMessage.ManifestBytes(new byte[1])));

    assertThat(ask(5_000).encoded()).hasSize(1);
  }
}

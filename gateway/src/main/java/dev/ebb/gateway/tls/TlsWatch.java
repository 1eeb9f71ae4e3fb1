package dev.ebb.gateway.tls;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.internal.ContextInternal;
import io.vertx.core.internal.PromiseInternal;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has changed TLS files shown without a restart, once they have stayed the same from one look to
 * the next: nobody writes two files at one blow. Where the new ones cannot be used, what was shown
 * goes on being shown, and the log says why, once.
 *
 * <p>Contents are compared, not times: a link that is turned to another directory is a change, too.
 */
public final class TlsWatch {
  private static final Logger log = LoggerFactory.getLogger(TlsWatch.class);
  private static final long PERIOD_MS = 1_000;

  private final Vertx vertx;
  private final TlsFiles files;
  private final TlsUpgrade tls;
  private final MeterRegistry meters;
  private final AtomicBoolean looking = new AtomicBoolean();
  private byte @Nullable [] judged;
  private byte @Nullable [] seen;
  private long timer;

  private TlsWatch(Vertx vertx, TlsFiles files, TlsUpgrade tls, MeterRegistry meters) {
    this.vertx = vertx;
    this.files = files;
    this.tls = tls;
    this.meters = meters;
    // Not of what tls holds: the files may have changed since. Then they are read once more.
    this.judged = null;
    TimeGauge.builder(
            "ebb.gateway.certificate.expiry",
            tls,
            TimeUnit.SECONDS,
            shown -> shown.notAfterEpochMs() / 1000.0)
        .description("When the certificate that clients are shown expires, since the epoch")
        .register(meters);
  }

  /** Begins to look; {@link #close} ends it. */
  public static TlsWatch start(Vertx vertx, TlsFiles files, TlsUpgrade tls, MeterRegistry meters) {
    var watch = new TlsWatch(vertx, files, tls, meters);
    watch.timer = vertx.setPeriodic(PERIOD_MS, tick -> watch.lookElsewhere());
    return watch;
  }

  public void close() {
    vertx.cancelTimer(timer);
  }

  /**
   * Takes the files as they are now, without waiting for them to stay the same. Completes with what
   * was done; fails where they cannot be used, and what was shown goes on being shown.
   */
  public Future<String> reload() {
    PromiseInternal<String> done = ((ContextInternal) vertx.getOrCreateContext()).promise();
    Thread.ofVirtual()
        .start(() -> {
          try {
            TlsMaterial material = files.read();
            boolean isNew = !material.equals(tls.shown());
            if (isNew) {
              tls.show(material);
              count("ok");
              log.info("clients are shown the certificate {} from now on", material.server());
            }
            done.complete(
                isNew ? "the TLS files were read again" : "the TLS files have not changed");
          } catch (RuntimeException e) {
            count("failed");
            log.warn("the TLS files cannot be used, the old ones stay: {}", e + "");
            done.fail(e);
          }
        });
    return done.future();
  }

  private void lookElsewhere() {
    if (looking.compareAndSet(false, true)) {
      Thread.ofVirtual()
          .start(() -> {
            try {
              look();
            } finally {
              looking.set(false);
            }
          });
    }
  }

  private void look() {
    byte[] now = files.fingerprint();
    boolean settled = now != null && Arrays.equals(now, seen);
    seen = now;
    if (!settled || Arrays.equals(now, judged)) {
      return;
    }
    boolean first = judged == null;
    judged = now;
    try {
      TlsMaterial material = files.read();
      if (first && material.equals(tls.shown())) {
        return;
      }
      tls.show(material);
      count("ok");
      log.info("clients are shown the certificate {} from now on", material.server());
    } catch (RuntimeException e) {
      count("failed");
      log.warn("the TLS files have changed and cannot be used, the old ones stay: {}", e + "");
    }
  }

  private void count(String outcome) {
    Counter.builder("ebb.gateway.certificate.reloads")
        .description("Changes of the TLS files, by whether the new ones could be used")
        .tag("outcome", outcome)
        .register(meters)
        .increment();
  }
}

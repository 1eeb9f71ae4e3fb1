package dev.ebb.walservice.send;

import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.protocol.StandbyMessage;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** What is known of one connection: written by its threads, read by everybody. */
final class SenderState {
  final String client;
  private final AtomicLong bytesSent = new AtomicLong();
  private volatile @Nullable ServedBranch branch;
  private volatile String application = "";
  private volatile boolean streaming;
  private volatile Lsn sent = Lsn.INVALID;
  private volatile Lsn end = Lsn.INVALID;
  private volatile Lsn write = Lsn.INVALID;
  private volatile Lsn flush = Lsn.INVALID;
  private volatile Lsn apply = Lsn.INVALID;
  private volatile long oldestTransaction;
  private volatile long heardNanos = System.nanoTime();

  SenderState(String client) {
    this.client = client;
  }

  void authenticated(ServedBranch served, String name) {
    branch = served;
    application = name;
  }

  @Nullable ServedBranch branch() {
    return branch;
  }

  void streaming(boolean now) {
    heardNanos = System.nanoTime();
    oldestTransaction = 0; // another stream's queries are not this one's
    streaming = now;
  }

  boolean isStreaming() {
    return streaming;
  }

  void heard() {
    heardNanos = System.nanoTime();
  }

  Duration silence() {
    return Duration.ofNanos(System.nanoTime() - heardNanos);
  }

  void said(StandbyMessage message) {
    switch (message) {
      case StandbyMessage.Status status -> {
        write = status.write();
        flush = status.flush();
        apply = status.apply();
      }
      case StandbyMessage.HotStandbyFeedback feedback -> oldestTransaction = feedback.xmin();
    }
  }

  void sent(Lsn lsn, int bytes) {
    sent = lsn;
    bytesSent.addAndGet(bytes);
  }

  void end(Lsn lsn) {
    end = lsn;
  }

  /** Null while it does not stream. */
  @Nullable SenderStatus status() {
    ServedBranch served = branch;
    return served == null || !streaming
        ? null
        : new SenderStatus(
            served.id(),
            served.name(),
            client,
            application,
            sent,
            write,
            flush,
            apply,
            end,
            bytesSent.get(),
            oldestTransaction,
            silence().toMillis());
  }
}

package dev.ebb.walservice.send;

import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;

/**
 * One connected standby, as it is now.
 *
 * @param client its address
 * @param application as it calls itself
 * @param sent behind the last byte that was sent
 * @param write flush and apply: as it said last; {@code Lsn.INVALID} for not yet
 * @param end of what may be sent: whole, durable records
 * @param oldestTransaction that its queries need, as it said last; 0 for none
 * @param heardMs since it said something
 */
public record SenderStatus(
    BranchId branch,
    String branchName,
    String client,
    String application,
    Lsn sent,
    Lsn write,
    Lsn flush,
    Lsn apply,
    Lsn end,
    long bytesSent,
    long oldestTransaction,
    long heardMs) {

  /** Bytes that it has not applied, or not flushed where it never applies. */
  public long lagBytes() {
    Lsn reached = apply.isValid() ? apply : flush.isValid() ? flush : write;
    return reached.isValid() ? Math.max(0, end.minus(reached)) : 0;
  }
}

package dev.ebb.shared.bus;

import dev.ebb.shared.model.HostId;

/** The event bus addresses. */
public final class Addresses {
  /** Page service requests, answered by any instance. */
  public static final String PAGE = "ebb.page";

  /** WAL service requests, answered by any instance. */
  public static final String WAL = "ebb.wal";

  /** Published: {@code WalMessage.LogDeleted}. */
  public static final String WAL_DELETIONS = "ebb.wal-deletions";

  /** Published: {@code WalMessage.StandbyFeedback}. */
  public static final String WAL_FEEDBACK = "ebb.wal-feedback";

  /** Compute requests, answered or passed on by any host. */
  public static final String COMPUTE = "ebb.compute";

  /** Published: {@code ComputeMessage.HostAnnouncement}. */
  public static final String HOSTS = "ebb.hosts";

  /** Published: {@code ScalerMessage.ScaleEvent}. */
  public static final String SCALE_EVENTS = "ebb.scale-events";

  private Addresses() {}

  /** The one host's own address. */
  public static String host(HostId host) {
    return COMPUTE + "." + host;
  }
}

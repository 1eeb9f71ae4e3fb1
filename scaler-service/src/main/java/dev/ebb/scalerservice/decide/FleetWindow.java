package dev.ebb.scalerservice.decide;

import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.HostId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The newest announcement of each host that is alive. An announcement replaces the one before it as
 * a whole, so that a lost one is made good by the next and a repeated one changes nothing. A host
 * that says nothing for {@link #HOST_EXPIRY_MS} is taken for dead, and its computes with it. Not
 * thread-safe.
 */
public final class FleetWindow {
  /** Three announcements in a row were lost. */
  public static final long HOST_EXPIRY_MS = 3_000;

  private final Map<HostId, Heard> hosts = new HashMap<>();

  private record Heard(HostAnnouncement announcement, long seenMs) {}

  /** Takes an announcement in. */
  public void hear(HostAnnouncement announcement, long nowMs) {
    hosts.put(announcement.host(), new Heard(announcement, nowMs));
  }

  /** The computes of the hosts that are alive; forgets the others. */
  public List<Sighting> computes(long nowMs) {
    hosts.values().removeIf(heard -> isExpired(heard.seenMs(), nowMs));
    var sightings = new ArrayList<Sighting>();
    for (Heard heard : hosts.values()) {
      HostAnnouncement host = heard.announcement();
      for (ComputeStatus compute : host.computes()) {
        sightings.add(new Sighting(host.host(), host.leaving(), compute, heard.seenMs()));
      }
    }
    return sightings;
  }

  public int hosts() {
    return hosts.size();
  }

  static boolean isExpired(long seenMs, long nowMs) {
    return nowMs - seenMs >= HOST_EXPIRY_MS;
  }
}

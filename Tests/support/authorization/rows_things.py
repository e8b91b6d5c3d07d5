"""Files, rides, jobs, the trail, settings."""

from .answers import FAILED_PRECONDITION, NOT_FOUND
from .callers import SEES_HIDDEN
from .rows import Service
from .world import RIDE_STAFF

media = Service("octet.media.v1.MediaService")
media("CreateUpload", fields=lambda w: {"kind": "BLOB_KIND_FILE", "length": 5}, triers=("stranger", "owner"))
media("GetUpload", "upload", "upload_id")
media("UploadChunks", "upload", "open.upload_id")
media("CancelUpload", "upload", "upload_id", is_fresh=True)
for method in ("GetBlob", "ReadBlob", "SignUrl", "ListRenditions", "WatchBlob"):
    media(method, "blob", "blob_id")
# A part of what is hidden, and of what all see but those whom a block keeps from it.
for thing, whose in {
    "hidden_photo": {"owner": "hidden", "also": SEES_HIDDEN}, "public_photo": {"hidden_from": ("blocked",)}
}.items():  # fmt: skip
    for method in ("GetBlob", "ListRenditions"):
        media(method, thing, "blob_id", **whose)
    media("ReadBlob", thing, "blob_id", fields=lambda w: {"profile": "w160"}, **whose)
    media("SignUrl", thing, "blob_id", fields=lambda w: {"name": "w160"}, **whose)
# A thing that may be seen opens no blob that is not a part of it.
media("GetBlob", "blob", "blob_id", fields=lambda w: {"subject_id": w.thing("public_user")})
media("DeleteBlob", "blob", "blob_id", is_fresh=True)

drivers = Service("octet.rides.v1.DriverService")
drivers("RegisterDriver", fields=lambda w: {"city_id": w.city(), "display_name": "Lapsed"}, triers=("lapsed",))
drivers("RegisterVehicle", fields=lambda w: w.vehicle(), triers=("driver",))
# Whoever is no driver is told so, whatever is named.
drivers("LinkVehicle", "vehicle", "vehicle_id", owner="spare", refusals=(NOT_FOUND, FAILED_PRECONDITION))
drivers("SubmitDocument", fields=lambda w: w.document(), triers=("driver",))
drivers("ReviewDocument", "document", "document_id", fields=lambda w: {"verified": True})
drivers("ListVehicleCategories", fields=lambda w: {"city_id": w.city()})
drivers("DriverSession", fields=lambda w: {"go_online": {}}, triers=("driver",),
        finish=lambda w, name: w.begin_session())  # fmt: skip

pricing = Service("octet.rides.v1.PricingService")
pricing("EstimateFare", fields=lambda w: w.way())
pricing("PutFareTable", fields=lambda w: w.fare_table(), is_fresh=True)

zones = Service("octet.rides.v1.ZoneService")
zones("PutZone", fields=lambda w: w.zone())
zones("ListZones")

rides = Service("octet.rides.v1.RideService")
rides("RequestRide", "quote", "quote_id", fields=lambda w: {"method": "PAYMENT_METHOD_CASH"},
      owner="lapsed", is_fresh=True, finish=lambda w, name: w.cancel_ride(name))  # fmt: skip
rides("ListRides")
drivers("GetDriver", "driver", "driver_id", owner="driver", also=("owner",), prepare=lambda w: w.thing("ride"))
media("GetBlob", "ride", "subject_id", fields=lambda w: {"blob_id": w.thing("blob")}, also=())
drivers("SuspendDriver", "spare_driver", "driver_id", is_fresh=False)
for method in ("GetRide", "WatchRide"):
    rides(method, "ride", "ride_id", also=("driver",), knowers=RIDE_STAFF)
rides("RideChat", "ride", "ride_id", fields=lambda w: {"frame": {"join": {}}}, also=("driver",), knowers=RIDE_STAFF)
tracking = Service("octet.rides.v1.TrackingService")
tracking("TrackRide", "ride", "ride_id", also=("driver",), knowers=RIDE_STAFF)
rides("QuoteCancelFee", "ride", "ride_id", also=("driver",), knowers=RIDE_STAFF)
PARTIES = ("owner", *RIDE_STAFF)
rides("MarkArrived", "ride", "ride_id", owner="driver", knowers=PARTIES, prepare=lambda w: w.drive_to_pickup())
rides("StartRide", "ride", "ride_id", fields=lambda w: {"pin": w.pin()}, owner="driver", knowers=PARTIES)
rides("CompleteRide", "ride", "ride_id", owner="driver", knowers=PARTIES)
rides("ConfirmCash", "ride", "ride_id", fields=lambda w: {"received": w.outstanding()}, owner="driver", knowers=PARTIES)
rides("GetReceipt", "ride", "ride_id", also=("driver",), knowers=RIDE_STAFF)
rides("RecomputeFare", "ride", "ride_id", also=("driver",), knowers=RIDE_STAFF)
rides("CancelRide", "waiting_ride", "ride_id", owner="spare", knowers=("driver", *RIDE_STAFF), is_fresh=True)
checks = Service("octet.rides.v1.AuditService")
checks("CheckInvariants")

jobs = Service("octet.jobs.v1.JobService")
jobs("ListJobs")
jobs("WatchJobs", fields=lambda w: {"kind": "rides.search"})
# No job was given up, and none is here for ever.
jobs("RetryJob", fields=lambda w: {"job_id": "job_0000000000000"}, is_proved=False)
jobs("CancelJob", fields=lambda w: {"kind": "rides.search", "key": "none"}, is_proved=False)

trail = Service("octet.audit.v1.AuditService")
trail("ListRecords")
trail("ExportRecords")
trail("VerifyChain")
trail("ListHeads")
trail("CheckInvariants")

admin = Service("octet.admin.v1.AdminService")
admin("PutFlag", fields=lambda w: w.flag())
admin("ListFlags")
admin("WatchFlags")
admin("PutTableRow", fields=lambda w: w.table_row())
admin("ListTableRows")
admin("EstimateCapacity", fields=lambda w: {"actors": 1000})

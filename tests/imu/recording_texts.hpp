// Short recordings by hand, one of each layout, for the tests of the readers and as seeds of their fuzz
// targets.
#pragma once

namespace test {

inline constexpr const char* myo_csv =
    "t_s,new_sample,acc_x_g,acc_y_g,acc_z_g,gyro_x_dps,gyro_y_dps,gyro_z_dps,euler_x_rad,euler_y_rad,euler_z_"
    "rad,"
    "norm_acc_x\n"
    "0.00,1,0,0.5,1,90,-90,0,0.1,0.2,0.3,0\n"
    "0.01,1,0,0.5,1,45,-90,0,0.1,0.2,0.4,0\n"
    "0.02,0,0,0.5,1,45,-90,0,0.1,0.2,0.4,0\n"
    "0.03,1,0.25,0.5,1,45,-90,0,0.1,0.2,0.4,0\n";

inline constexpr const char* wand_csv =
    "ms,ax,ay,az,gx,gy,gz\n261645,0.5,0,-1,180,0,0\n261654,0.5,0,-1,90,0,0\n261661,0.5,0,-1,90,0,1\n";

inline constexpr const char* android_csv =
    "session_id,timestamp,label,quaternion_w,quaternion_x,quaternion_y,quaternion_z,position_x,position_y,"
    "position_z,"
    "accelerometer_x,accelerometer_y,accelerometer_z,gyroscope_x,gyroscope_y,gyroscope_z,magnetometer_x\n"
    "0_a,1762434862759,0,1,0.1,0.2,0.3,9,9,9,0.5,1.5,9.5,0.25,-0.25,0,30\n"
    "0_a,1762434862779,0,1,0,0,0,9,9,9,0.5,1.5,9.5,0.25,-0.25,0,30\n"
    "0_a,1762434862798,0,1,0,0,0,9,9,9,0.5,1.5,9.5,0.25,-0.25,0,30\n";

inline constexpr const char* myo_json =
    "{\"timestamp\": \"x\", \"emg\": {\"frequency\": 100, \"data\": [[1, 2], [3, -4]]},\n"
    " \"imu\": {\"frequency\": 200, \"data\": [\n"
    "  {\"gyroscope\": [180, 0, 0.5], \"acceleration\": [0, 0, 1], \"orientation\": [0.1, 0.2, 0.3, 0.9]},\n"
    "  {\"orientation\": [0, 0, 0, 1], \"extra\": [1, [2]], \"gyroscope\": [0, 0, 0], \"acceleration\": [0, "
    "null, 2e0]}]}}";

inline constexpr const char* kinect_csv =
    "SpineBase.x,SpineBase.y,SpineBase.z,state,Neck.x,Neck.y,Neck.z,state\n"
    "-0.25,-0.5,1.5,tracked,0,1,2,tracked\n"
    "-0.25,-0.5,1.5,tracked,0,1,2.5,inferred\n";

inline constexpr const char* kinect_picture_csv =
    "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20\n"
    "1.5,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,-20\n";

inline constexpr const char* phyphox_csv =
    "\"Time (s)\",\"Acceleration x (m/s^2)\",\"Acceleration y (m/s^2)\",\"Acceleration z "
    "(m/s^2)\",\"Absolute "
    "acceleration (m/s^2)\"\n"
    "1.250000000E-2,1.0E0,2.0E0,9.5E0,9.8E0\n2.250000000E-2,1.0E0,2.0E0,9.5E0,9.8E0\n"
    "3.250000000E-2,1.5E0,2.0E0,9.5E0,9.8E0\n";

inline constexpr const char* xsens_txt =
    "// Start Time: Unknown\r\n// Update Rate: 40.0Hz\r\n// Filter Profile: human (46.1)\r\n"
    "PacketCounter\tSampleTimeFine\tAcc_X\tAcc_Y\tAcc_Z\tGyr_X\tGyr_Y\tGyr_Z\tQuat_q0\tQuat_q1\tQuat_"
    "q2\tQuat_q3\t"
    "Roll\tPitch\tYaw\r\n"
    "65534\t\t9.5\t-1.5\t-1.75\t0.5\t0\t-0.5\t0.9\t0.1\t0.2\t0.3\t180\t0\t90\r\n"
    "65535\t\t9.5\t-1.5\t-1.75\t0.5\t0\t-0.5\t0.9\t0.1\t0.2\t0.3\t180\t0\t90\r\n"
    "00000\t\t9.5\t-1.5\t-1.75\t0.5\t0\t-0.5\t0.9\t0.1\t0.2\t0.3\t180\t0\t90\r\n"
    "00001\t\t9.5\t-1.5\t-1.75\t0.5\t0\t-0.5\t0.9\t0.1\t0.2\t0.3\t180\t0\t90\r\n";

inline constexpr const char* xsens_dot_csv =
    "sep=,\nDeviceTag:,left wrist,,,,\nFirmwareVersion:,2.0.0,,,,\nSyncStatus:,Synced,,,,\n"
    "OutputRate:,60Hz,,,,\nStartTime:,2023-05-01 10:00:00.000 +0000,,,,\n\n"
    "PacketCounter,SampleTimeFine,Quat_W,Quat_X,Quat_Y,Quat_Z,Euler_X,Euler_Y,Euler_Z,FreeAcc_X,Acc_X,Acc_Y,"
    "Acc_Z,"
    "Gyr_X,Gyr_Y,Gyr_Z,\n"
    "0, 4294950000, 0.9, 0.1, 0.2, 0.3, 180, 0, 90, 0.5, 9.5, -1.5, -1.75, 180, 0, -90, \n"
    "1, 4294966667, 0.9, 0.1, 0.2, 0.3, 180, 0, 90, 0.5, 9.5, -1.5, -1.75, 90, 0, -90, \n"
    "2, 16038, 0.9, 0.1, 0.2, 0.3, 180, 0, 90, 0.5, 9.5, -1.5, -1.75, 90, 0, -45, \n"
    "3, 32705, 0.9, 0.1, 0.2, 0.3, 180, 0, 90, 0.5, 9.5, -1.5, -1.75, 90, 0, -45, \n";

inline constexpr const char* generic_csv =
    "time_s;left acc x (m/s²);left acc y (m/s²);left acc z "
    "(m/s²);label\n0;1;2;9;a\n0.02;1;2;9;b\n0.04;1;2;8;c\n";

// Two sensors whose rows stand in turn, and the two quantities of one of them.
inline constexpr const char* in_turn_csv =
    "time_s,left_acc_x_g,left_acc_y_g,left_acc_z_g,right_acc_x_g,right_acc_y_g,right_acc_z_g,"
    "right_gyro_x_dps,right_gyro_y_dps,right_gyro_z_dps\n"
    "0,0,0,1,,,,,,\n0,,,,0.5,0,1,,,\n0,,,,,,,90,0,45\n"
    "0.01,0,0.1,1,,,,,,\n0.01,,,,0.5,0.1,1,,,\n0.01,,,,,,,90,1,45\n"
    "0.02,0,0.2,1,,,,,,\n0.02,,,,0.5,0.2,1,,,\n0.02,,,,,,,90,2,45\n"
    "0.03,0,0.1,1,,,,,,\n0.03,,,,0.5,0.1,1,,,\n0.03,,,,,,,90,1,45\n";

inline constexpr const char* const recording_texts[] = {
    myo_csv,     wand_csv,  android_csv, myo_json,      kinect_csv, kinect_picture_csv,
    phyphox_csv, xsens_txt, generic_csv, xsens_dot_csv, in_turn_csv};

}  // namespace test
